"""Addresses of video files and streams, from a server of this machine's own."""

import base64
import contextlib
import http.server
import json
import threading

import av
import pytest
from click.testing import CliRunner
from helpers_trackers import paint, save_detector
from keras_tracknet_cli import live as live_command
from keras_tracknet_cli.main import cli

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video.reader import read_frames
from keras_tracknet.video.recordings import open_recording

FRAMES = 8  # no more than are held: live ones are not dropped
PASSWORD = "hunter2"


def write_video(path, format):
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream("mpeg4" if format == "mp4" else "mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
        stream.bit_rate = 4_000_000
        for n in range(FRAMES):
            image = paint((64, 128), (20 + 2 * n, 30), radius=5)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """What the server has: name to bytes."""
    folder = tmp_path_factory.mktemp("www")
    stream = write_video(folder / "s.ts", "mpegts")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.32,\npart.ts\n#EXT-X-ENDLIST\n"
    return {
        "match.mp4": write_video(folder / "match.mp4", "mp4"),
        "part.ts": stream,
        "live": stream,
        "vod.m3u8": playlist.encode(),
        "page.html": b"<html>",
        "empty.mp4": b"",
    }


TYPES = {"page.html": "text/html", "vod.m3u8": "application/vnd.apple.mpegurl"}


@pytest.fixture
def server(contents):
    """Serve the contents, and what no server should do; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.partition("?")[0].lstrip("/")
            requests.append(name)
            if name.startswith("secret/"):
                name = name.removeprefix("secret/")
                wanted = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()
                if self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="court"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            content = contents.get(name.removeprefix("cut/"))
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", TYPES.get(name, "video/mp4"))
            if name != "live":
                self.send_header("Content-Length", str(len(content) * (1 + name.startswith("cut"))))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    requests = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = requests
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def name_address(server, path, login=""):
    return f"http://{login}127.0.0.1:{server.server_port}/{path}"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("weights") / "dot.keras")


def run_predict(weights, *arguments):
    command = ["predict", "--weights", weights, "--precision", "float32", *arguments]
    return CliRunner().invoke(cli, [str(argument) for argument in command])


def test_a_video_file_is_saved_and_tracked_as_any_video(tmp_path, monkeypatch, server, weights):
    monkeypatch.chdir(tmp_path)
    address = name_address(server, "match.mp4")
    result = run_predict(weights, address)
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "runs" / "predict" / "match"
    track = read_track(folder / "track.csv")
    assert len(track) == FRAMES  # each frame once, and none is dropped
    assert track.x == pytest.approx([20 + 2 * n for n in range(FRAMES)], abs=1)
    assert (folder / "overlay.mp4").is_file()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["source"] == str(folder / "source" / "match.mp4")
    assert server.requests == ["match.mp4"]
    # It is not fetched again for another run.
    again = run_predict(weights, address, "--overwrite", "--no-overlay")
    assert again.exit_code == 0, again.stderr
    assert "already saved" in again.stderr


def test_a_playlist_that_has_ended_is_a_recording(tmp_path, server, weights):
    result = run_predict(weights, name_address(server, "vod.m3u8"), "-o", tmp_path, "--no-overlay")
    assert result.exit_code == 0, result.stderr
    assert len(read_track(tmp_path / "track.csv")) == FRAMES
    assert (tmp_path / "source" / "vod.mkv").is_file()


def test_a_stream_without_a_length_is_live_and_ends(tmp_path, monkeypatch, server, weights):
    """Its server hangs up: it is not asked for the same frames again and again."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # each run has a folder of its own
        result = run_predict(weights, name_address(server, "live"))
        assert result.exit_code == 0, result.stderr
    folders = sorted((tmp_path / "runs" / "predict" / "live").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert len(read_track(folder / "track.csv")) == FRAMES
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["connections"], summary["dropped"]) == (1, 0)
        assert (summary["complete"], summary["live"]) == (True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing.mp4", "the server returned 404"),
        ("secret/match.mp4", "the server returned 401 .*add user and password"),
        ("page.html", "is a web page; use the address of the video file itself"),
        ("empty.mp4", "an empty file"),
        ("cut/match.mp4", "download stopped after [0-9]+ of [0-9]+ bytes; run"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_a_line(tmp_path, server, path, message):
    result = run_predict("none.keras", name_address(server, path), "-o", tmp_path, "--quiet")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    with pytest.raises(InputError, match=message):
        raise InputError(result.stderr)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_another_file_of_that_name_is_left_alone(tmp_path, server):
    saved = tmp_path / "source" / "match.mp4"
    saved.parent.mkdir()
    saved.write_text("of somebody else")
    result = run_predict("none.keras", name_address(server, "match.mp4"), "-o", tmp_path)
    assert result.exit_code == 1
    assert "differs from http://127.0.0.1" in result.stderr
    assert saved.read_text() == "of somebody else"


@pytest.mark.parametrize(
    "name", ["../../etc/x.mp4", "%2e%2e%2f%2e%2e%2fx.mp4", ".x.mp4", "a:b?x.mp4", "", "x" * 300]
)
def test_a_recording_is_saved_where_it_belongs(contents, server, name, tmp_path):
    contents[name.partition("?")[0]] = contents["match.mp4"]
    with contextlib.closing(open_recording(name_address(server, name))) as recording:
        saved = recording.save(tmp_path)
    assert saved.parent == tmp_path
    assert not saved.name.startswith(".")
    assert len(list(read_frames(saved))) == FRAMES


@pytest.mark.parametrize("address", ["rtsp://127.0.0.1/s", "udp://127.0.0.1:9", "0", "match.mp4"])
def test_what_is_no_web_address_is_not_asked(address):
    assert open_recording(address) is None


@pytest.mark.parametrize("path", ["secret/match.mp4", "live"])
def test_the_password_of_an_address_is_written_nowhere(
    tmp_path, monkeypatch, server, weights, path
):
    monkeypatch.chdir(tmp_path)
    address = name_address(server, f"{path}?token={PASSWORD}", login=f"user:{PASSWORD}@")
    result = run_predict(weights, address, "--json")
    assert result.exit_code == 0, result.stderr
    assert "user:***@127.0.0.1" in result.stderr
    assert PASSWORD not in result.stdout + result.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 2
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]
    assert not [file for file in files if PASSWORD in str(file)]


@pytest.mark.parametrize(
    "address", ["http://{}/x.mp4", "http://{}/x.m3u8", "rtsp://{}/x", "tcp://{}", "rtmp://{}/x"]
)
@pytest.mark.parametrize("debug", ["0", "1"])
def test_a_dead_address_is_told_at_once_and_without_its_password(
    tmp_path, monkeypatch, address, debug
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKNET_DEBUG", debug)
    address = address.format(f"user:{PASSWORD}@127.0.0.1:9")
    result = run_predict("none.keras", address)
    assert result.exit_code == 1
    assert "user:***@127.0.0.1:9" in result.stderr
    assert PASSWORD not in result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{PASSWORD}@[127.0.0.1:9/x.mp4",
        f"http://user:{PASSWORD}@127.0.0.1\u2100/x.mp4",  # a letter that stands for a/c
        f"http://user:{PASSWORD}@127.0.0.1:port/x.mp4",
        f"http://user:a/{PASSWORD}@127.0.0.1:9/x.mp4",
        f"http://user:{PASSWORD} {PASSWORD}@127.0.0.1:9/x.mp4",
        f"http://user:%zz{PASSWORD}@127.0.0.1:9/x.mp4",
        f"rtsp://user:{PASSWORD} {PASSWORD}@127.0.0.1:9/x",
    ],
)
def test_the_password_of_what_is_no_address_is_not_told(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    result = run_predict("none.keras", address)
    assert result.exit_code == 1
    assert PASSWORD not in result.stdout + result.stderr
    assert result.stderr.splitlines()[-1].startswith("tracknet: ")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(tmp_path, monkeypatch):
    import socket

    from keras_tracknet.video import capture, recordings

    monkeypatch.setattr(recordings, "TIMEOUT", 0.2)
    monkeypatch.setattr(capture, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for kind in ("http", "tcp"):
            address = f"{kind}://127.0.0.1:{silent.getsockname()[1]}/x"
            result = run_predict("none.keras", address, "-o", tmp_path / "out")
            assert result.exit_code == 1
            assert "cannot be read (no response within 0.2 s)" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--overlay"], "--overlay is for recorded videos"),
        (["--plots"], "--plots is for recorded videos"),
        (["--shots"], "--shots is for recorded videos"),
        (["--resume"], "--resume is for recorded videos"),
        (["--ray"], "--ray is for recorded videos"),
        (["--rectifier", "x.keras"], "--rectifier is for recorded videos"),
        (["--max-gap", "3"], "--max-gap is for recorded videos"),
        (["--strict"], "--strict is for recorded videos"),
        (["--sampling", "published", "--decode", "published"], "--sampling published is for"),
        (["--format", "parquet"], "written as csv or jsonl only"),
        (["--format", "csv,parquet"], "written as csv or jsonl only"),
        (["-o", "x.parquet"], "csv or jsonl"),
        (["-o", "-", "--json"], "--json cannot be used with -o -"),
        (["-o", "-", "--format", "csv,jsonl"], "more than one --format cannot be used with -o -"),
        (["--duration", "0"], "out of range"),
        (["--duration", "nan"], "out of range"),
    ],
)
def test_options_that_a_live_source_would_ignore_are_refused(
    tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    result = run_predict("none.keras", "rtsp://127.0.0.1:9/x", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--duration", "3"], 2, "--duration is for"),
        (["--ray"], 2, "--ray is for many videos"),
        (["--resume", "--overwrite"], 2, "remove one of them"),
        (["-o", "-", "--json"], 2, "--json cannot be used with -o -"),
        (["-o", "x.mp4"], 1, "x.mp4: not a track file"),
        (["-o", "there"], 1, "summary.json: already exists"),
    ],
)
def test_a_recording_is_not_saved_for_what_is_refused(
    tmp_path, monkeypatch, server, options, code, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "summary.json").write_text("{}")
    result = run_predict("none.keras", name_address(server, "match.mp4"), *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert [path for path in tmp_path.rglob("*.mp4")] == []
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("name", ["match.mp4", ""])
def test_a_duration_is_refused_for_a_recorded_video(tmp_path, name):
    result = run_predict("none.keras", tmp_path / name, "--duration", "3")
    assert result.exit_code == 2
    assert "--duration is for cameras and streams only" in result.stderr


def test_results_that_are_there_are_not_overwritten(tmp_path, monkeypatch, server):
    (tmp_path / "track.csv").write_text("mine")
    result = run_predict("none.keras", "rtsp://127.0.0.1:9/x", "-o", tmp_path)
    assert result.exit_code == 1
    assert "track.csv: already exists; use --overwrite" in result.stderr
    assert (tmp_path / "track.csv").read_text() == "mine"


def test_two_runs_of_one_second_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _form: "now")
    for name in ("now", "now_2", "now_3"):
        folder = live_command._name_folder(tmp_path)
        assert folder.name == name
        folder.mkdir()
