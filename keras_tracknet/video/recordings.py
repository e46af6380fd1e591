"""Recordings on a web server: told from live streams, and saved to be tracked as any video."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import av

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.progress import Reporter
from keras_tracknet.video.capture import TIMEOUT, name_source, open_stream
from keras_tracknet.video.container import explain_error

CHUNK = 1 << 20  # bytes read at once
PLAYLISTS = (".m3u8", ".m3u", ".mpd")
PLAYLIST_TYPES = ("mpegurl", "dash+xml")
PAGE_TYPES = ("text/html", "application/xhtml+xml")
HEADED_TYPES = ("mp4", "quicktime", "matroska", "webm")  # say at their start how long they are
LONGEST_NAME = 100
SAFE = "/%:@!$&'()*+,;=~[]"  # what stays as it is in an address


class Recording(ABC):
    """A video on a web server that has an end.

    Attributes:
        label: its address, without a password.
        name: of the file that it is saved as.
    """

    def __init__(self, address: str) -> None:
        self.label, self.name = name_source(address), _name_file(address)

    def save(
        self, folder: Path, *, overwrite: bool = False, reporter: Reporter | None = None
    ) -> Path:
        """Write it into a folder, unless it is there already.

        Raises:
            InputError: the server breaks off, another file of that name is there, or the file
                cannot be written.
        """
        path, reporter = folder / self.name, reporter or Reporter()
        if path.is_file() and self._is_same(path):
            reporter.note(f"{path}: already saved")
            return path
        if path.exists() and not overwrite:
            raise InputError(
                f"{path}: differs from {self.label}; use `overwrite=True` or choose another path."
            )
        with replace_file(path) as partial:
            self._write(partial, reporter)
        reporter.note(f"saved to {path}")
        return path

    @abstractmethod
    def close(self) -> None:
        """Hang up."""

    @abstractmethod
    def _is_same(self, path: Path) -> bool:
        """Return whether a file is this recording."""

    @abstractmethod
    def _write(self, path: Path, reporter: Reporter) -> None:
        """Write all of it."""


class WebFile(Recording):
    """A file of so many bytes, whose answer is being read."""

    def __init__(self, address: str, size: int, response: Any) -> None:
        super().__init__(address)
        self.size, self.response = size, response

    def close(self) -> None:
        """Hang up."""
        self.response.close()

    def _is_same(self, path: Path) -> bool:
        return path.stat().st_size == self.size

    def _write(self, path: Path, reporter: Reporter) -> None:
        total = -(-self.size // CHUNK)
        saving = reporter.track(f"saving {self.label}", total, unit="MB")
        with open(path, "wb") as file, saving as advance:
            for chunk in self._read():
                file.write(chunk)
                advance(1)

    def _read(self) -> Iterator[bytes]:
        done = 0
        while done < self.size:
            try:
                chunk = self.response.read(min(CHUNK, self.size - done))
            except (OSError, http.client.HTTPException):
                chunk = b""
            if not chunk:
                raise InputError(
                    f"{self.label}: download stopped after {done} of {self.size} bytes; run the"
                    " command again."
                )
            done += len(chunk)
            yield chunk


class WebStreams(Recording):
    """Streams of so many seconds, such as a playlist of parts; copied as they are."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(address)
        self.address, self.seconds = address, seconds
        self.name = f"{Path(self.name).stem}.mkv"

    def close(self) -> None:
        """Nothing is open between two methods."""

    def _is_same(self, path: Path) -> bool:
        try:
            with av.open(f"file:{path}") as container:
                return abs((container.duration or 0) / av.time_base - self.seconds) < 1.0
        except (av.FFmpegError, OSError):
            return False

    def _write(self, path: Path, reporter: Reporter) -> None:
        saving = reporter.track(f"saving {self.label}", int(self.seconds), unit="seconds")
        with open_stream(self.address) as source, saving as advance:
            streams = [*source.streams.video[:1], *source.streams.audio[:1]]
            done = 0
            with av.open(f"file:{path}", "w", format="matroska") as target:
                copies = {s.index: target.add_stream_from_template(s) for s in streams}
                for packet in source.demux(streams):
                    if packet.dts is None:
                        continue
                    if packet.stream is streams[0] and packet.time_base and packet.pts:
                        now = int(packet.pts * packet.time_base)
                        done, moved = max(done, now), max(now - done, 0)
                        advance(moved)
                    packet.stream = copies[packet.stream.index]
                    target.mux(packet)


def open_recording(address: str) -> Recording | None:
    """Ask a web server what it has at an address: a file has an end, a live stream has none.

    Args:
        address: of any kind; it may hold a user and a password.

    Returns:
        A recording to be saved; None for what is no web address, and for live streams.

    Raises:
        InputError: the server does not answer, refuses, or has a web page there.
    """
    if not address.lower().startswith(("http://", "https://")):
        return None
    label = name_source(address)
    try:
        response = _request(address)
    except urllib.error.HTTPError as error:
        error.close()
        step = "check the address"
        if error.code in (401, 403):
            step = "add user and password to the address"
        raise InputError(
            f"{label}: the server returned {error.code} {error.msg}; {step}."
        ) from None
    except http.client.HTTPException:
        return None  # no web server, but FFmpeg knows more protocols
    except ValueError:  # whose words may hold the password without what it is known by
        raise InputError(f"{label}: not a valid address; check the spelling.") from None
    except OSError as error:
        raise InputError(
            f"{label}: cannot be read ({_explain(error)}); check the address and whether the"
            " source is sending."
        ) from None
    kind, size = response.headers.get_content_type(), _find_size(response, address)
    if size:
        return WebFile(address, size, response)
    response.close()
    if kind in PAGE_TYPES:
        raise InputError(f"{label}: is a web page; use the address of the video file itself.")
    if size == 0:
        raise InputError(f"{label}: is an empty file; check the address.")
    if not kind.endswith((*PLAYLIST_TYPES, *HEADED_TYPES)) and not _is_playlist(address):
        return None
    with open_stream(address) as container:
        seconds = (container.duration or 0) / av.time_base
    return WebStreams(address, seconds) if seconds > 0 else None


class _Login:
    """Hangs up when asked for a password, before it asks again with one."""

    def http_error_401(self, request: Any, refusal: Any, *told: Any) -> Any:
        """Ask again."""
        answer = super().http_error_401(request, refusal, *told)  # type: ignore[misc]
        if answer is not None:
            refusal.close()
        return answer


class _BasicLogin(_Login, urllib.request.HTTPBasicAuthHandler):
    """A password as it is."""


class _DigestLogin(_Login, urllib.request.HTTPDigestAuthHandler):
    """A password's digest."""


def _request(address: str) -> Any:
    """Ask for an address, with its user and password where the server wants them."""
    parts = urlsplit(address)
    login, _, host = parts.netloc.rpartition("@")
    path, query = quote(parts.path, safe=SAFE), quote(parts.query, safe=f"{SAFE}?")
    plain = urlunsplit((parts.scheme, host, path, query, ""))
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if login:
        user, _, password = login.partition(":")
        passwords.add_password(None, plain, unquote(user), unquote(password))
    opener = urllib.request.build_opener(_BasicLogin(passwords), _DigestLogin(passwords))
    request = urllib.request.Request(plain, headers={"User-Agent": "keras_tracknet"})
    return opener.open(request, timeout=TIMEOUT)


def _find_size(response: Any, address: str) -> int | None:
    """Return the bytes of a file; None for a page, a stream, or a list of parts of one."""
    kind, length = response.headers.get_content_type(), response.headers.get("Content-Length")
    listed = kind.endswith(PLAYLIST_TYPES) or _is_playlist(address)
    if listed or kind in PAGE_TYPES or kind.startswith("multipart/"):
        return None
    return int(length) if re.fullmatch("[0-9]{1,18}", length or "") else None


def _is_playlist(address: str) -> bool:
    return urlsplit(address).path.lower().endswith(PLAYLISTS)


def _name_file(address: str) -> str:
    """Return a name for a file, made of the last part of its address."""
    last = unquote(urlsplit(address).path).rpartition("/")[2]
    name = re.sub(r"[^\w.() +-]+", "_", last).lstrip(". ")
    return name[-LONGEST_NAME:] or "video"


def _explain(error: Exception) -> str:
    """What went wrong in a few words."""
    reason = getattr(error, "reason", None) or error  # of a URLError: another error, or words
    if isinstance(reason, TimeoutError):
        return f"no response within {TIMEOUT:g} s"
    return explain_error(reason) if isinstance(reason, Exception) else str(reason)
