"""The studio's server: on this machine, until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from keras_tracknet.errors import InputError
from keras_tracknet.locks import hold_lock
from keras_tracknet.studio.access import LOCAL, Guard
from keras_tracknet.studio.library import Library
from keras_tracknet.studio.pages import make_app
from keras_tracknet.studio.session import Session

DEFAULT_PORT = 8017
CLOSING = 1  # seconds that open connections may take at the end


def serve_studio(
    path: Path,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    announce: Callable[[str], Any] = print,
    warn: Callable[[str], Any] = print,
    started: Callable[[str], Any] | None = None,
) -> None:
    """Serve a folder of videos, or one video, to a browser until Ctrl-C.

    Args:
        path: a folder of videos, or a video.
        port: 8017, or any free one if that is taken, when omitted.
        host: address to listen on; another one than 127.0.0.1 lets other machines in.
        announce: is told the page's address.
        warn: is told what needs attention.
        started: is called with the address once the server answers, such as to open a browser.

    Raises:
        InputError: there are no such videos, another studio has them open, or the port is taken.
    """
    library = Library(path)
    if host not in LOCAL:
        warn(
            f"the studio can be reached at {host}: everyone in your network who knows the address"
            " can see and change this folder, and the connection is not encrypted."
        )
    session = Session(library)
    with _hold_folder(library), Server(make_app(session), port=port, host=host) as server:
        session.is_closing = server.is_closing
        announce(server.address)
        if started is not None:
            started(server.address)
        try:
            with suppress(KeyboardInterrupt):
                server.run()
        finally:
            session.close()


class Server:
    """Serves pages at an address that nobody can guess, until it is stopped or Ctrl-C.

    A browser that is sent there before `run` waits for its answer, and is not refused.

    Args:
        app: the pages.
        port: 8017, or any free one if that is taken, when omitted.
        host: address to listen on.

    Raises:
        InputError: the port is taken.
    """

    def __init__(self, app: Any, *, port: int | None = None, host: str = "127.0.0.1") -> None:
        self._listener = _listen(host, port)
        port = self._listener.getsockname()[1]
        token = secrets.token_urlsafe(24)
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host
        self.address = f"http://{shown}:{port}/?token={token}"
        config = uvicorn.Config(
            Guard(app, token=token, port=port, host=host), log_level="warning", access_log=False,
            lifespan="off", timeout_graceful_shutdown=CLOSING, server_header=False,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()

    def run(self) -> None:
        """Answer until `stop`; Ctrl-C is a KeyboardInterrupt."""
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """Finish the answers that are under way, and end."""
        self._server.should_exit = True

    def is_closing(self) -> bool:
        """Return whether it is about to end."""
        return self._server.should_exit


@contextmanager
def _hold_folder(library: Library) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(library.folder / "studio"))
        except InputError as error:
            raise InputError(
                f"{library.root}: cannot be opened; if another studio is open on this folder, use"
                f" its page or close it ({error})"
            ) from error
        yield


def _listen(host: str, port: int | None) -> socket.socket:
    for candidate in (DEFAULT_PORT, 0) if port is None else (port,):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), candidate))
        except (OSError, OverflowError) as error:
            listener.close()
            if candidate == DEFAULT_PORT and port is None:
                continue
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"{host}:{candidate}: cannot listen ({reason}); use another `port`."
            ) from error
        listener.listen()
        return listener
    raise AssertionError
