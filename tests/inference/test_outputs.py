import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from helpers_clips import write_video
from helpers_models import build_tiny, randomize_weights
from helpers_trackers import SIZE, paint, save_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths, name_result
from keras_tracknet.inference.stages import STAGES
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks import files as track_files
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.plots import PLOTS, name_plots
from keras_tracknet.tracks.track import COLUMNS
from keras_tracknet.video.reader import probe_video
from keras_tracknet.weights.model_file import save_model
from keras_tracknet.weights.spec import ModelSpec

FRAMES = 14
DEFAULT = "runs/predict/rally"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("weights") / "dots.keras", trained_on="dots")


@pytest.fixture(scope="module")
def tracker(weights):
    return Tracker(weights, precision="float32")


@pytest.fixture(scope="module")
def repairer(weights, tmp_path_factory):
    """A tracker with a rectifier; the dots are above the line that repair starts from."""
    path = tmp_path_factory.mktemp("weights") / "rectifier.keras"
    spec = ModelSpec("rectifier", 8, 0, "none", (0, 0))
    save_model(randomize_weights(build_tiny("rectifier", window=8)), spec, path)
    return Tracker(weights, rectifier=path, max_gap=2, precision="float32")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", FRAMES)


class Watcher(Reporter):
    """Calls a function with the number of units done, in one piece of work."""

    def __init__(self, work, call):
        self.work, self.call, self.done = work, call, 0

    @contextmanager
    def track(self, description, total=None, *, unit="items"):
        def advance(n=1, **_figures):
            if description.startswith(self.work):
                self.done += n
                self.call(self.done)

        yield advance


def interrupt_at(step):
    def interrupt(done):
        if done == step:
            raise KeyboardInterrupt

    return interrupt


def place(folder, *formats, overlay=False):
    return OutputPaths.choose(Path("clip.mp4"), folder, formats or ("csv",), overlay=overlay)


def read_lines(path):
    return path.read_text().splitlines()


# --- where results go


@pytest.mark.parametrize(
    ("output", "formats", "tracks", "overlay", "summary"),
    [
        (
            None,
            ["csv"],
            ["runs/predict/rally/track.csv"],
            "runs/predict/rally",
            "runs/predict/rally",
        ),
        ("out", [], ["out/track.csv"], "out", "out"),
        ("out", ["jsonl", "csv", "jsonl"], ["out/track.jsonl", "out/track.csv"], "out", "out"),
        # A dot alone does not make a file of it.
        ("out.2", ["csv"], ["out.2/track.csv"], "out.2", "out.2"),
        # The suffix is a format, whatever else is asked for.
        ("a/b.csv", [], ["a/b.csv"], "a/b.", "a/b."),
        ("a/b.jsonl", [], ["a/b.jsonl"], "a/b.", "a/b."),
        ("a/b.jsonl", ["csv"], ["a/b.jsonl", "a/b.csv"], "a/b.", "a/b."),
        ("b.parquet", [], ["b.parquet"], "b.", "b."),
        ("b.csv", ["csv", "parquet", "jsonl"], ["b.csv", "b.parquet", "b.jsonl"], "b.", "b."),
    ],
)
def test_results_go_where_the_output_says(output, formats, tracks, overlay, summary):
    def join(start, name):
        return Path(start + name if start.endswith(".") else f"{start}/{name}")

    chosen = OutputPaths.choose(
        Path("videos/rally.mp4"), output and Path(output), formats, overlay=True
    )
    assert chosen.tracks == tuple(map(Path, tracks))
    assert chosen.overlay == join(overlay, "overlay.mp4")
    assert chosen.summary == join(summary, "summary.json")


@pytest.mark.parametrize("name", ["out.json", "a/track.TXT", "overlay.mp4"])
def test_file_of_another_kind_is_no_place_for_a_track(name):
    with pytest.raises(InputError, match=r"not a track file; use a folder.*\.csv"):
        OutputPaths.choose(Path("a.mp4"), Path(name), [], overlay=True)


def test_current_folder_as_images_gives_its_name_to_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = OutputPaths.choose(Path("."), None, [], overlay=False)
    assert chosen.summary == Path("runs/predict") / tmp_path.name / "summary.json"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("clip.v1/", "clip.v1"),
        ("a/clip.v2/", "clip.v2"),
        ("a.b.mp4", "a.b"),
        ("link.mp4", "link"),
        ("new/..", None),
    ],
)
def test_results_are_called_like_their_source(tmp_path, monkeypatch, source, name):
    monkeypatch.chdir(tmp_path)
    Path("blob").touch()
    Path("link.mp4").symlink_to("blob")
    for folder in ("clip.v1", "a/clip.v2", "new"):
        Path(folder).mkdir(parents=True)
    assert name_result(Path(source)) == (name or tmp_path.name)


def test_no_overlay_has_no_place():
    assert OutputPaths.choose(Path("a.mp4"), Path("out"), ["csv"], overlay=False).overlay is None


@pytest.mark.parametrize("name", ["track.csv", "track.jsonl", "overlay.mp4", "summary.json"])
def test_result_that_is_there_is_not_free(tmp_path, name):
    paths = place(tmp_path, "csv", "jsonl", overlay=True)
    paths.check_free()
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=rf"{name}: already exists; use `overwrite=True`"):
        paths.check_free()


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        (
            '{"complete": false}',
            "belongs to an interrupted run; use `resume=True` or `overwrite=True` or",
        ),
        ('{"complete": true}', "already exists; use `overwrite=True` or"),
        ("[]", "already exists; use `overwrite=True` or"),
    ],
)
def test_what_an_interrupted_run_left_can_be_resumed(tmp_path, summary, message):
    for name, content in (("track.csv", "Frame,Visibility,X,Y\n"), ("summary.json", summary)):
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=rf"track\.csv: {message} choose another path"):
        place(tmp_path).check_free()


def test_other_files_are_in_nobodys_way(tmp_path):
    (tmp_path / "notes.txt").touch()
    place(tmp_path, overlay=True).check_free()


# --- what is in them


def test_track_has_a_row_for_every_frame(tracker, video, tmp_path):
    predict_video(tracker, video, place(tmp_path))
    header, *rows = read_lines(tmp_path / "track.csv")
    assert header == ",".join(COLUMNS)
    assert [int(row.split(",")[0]) for row in rows] == list(range(FRAMES))
    track = read_track(tmp_path / "track.csv")
    expected = [(6 + 8 * frame % 50, 18) for frame in range(FRAMES)]
    assert np.abs(track.positions - expected).max() < 1


def test_schema_of_the_published_code_has_whole_pixels(tracker, video, tmp_path):
    predict_video(tracker, video, place(tmp_path), schema="tracknetv2")
    header, *rows = read_lines(tmp_path / "track.csv")
    assert header == "Frame,Visibility,X,Y"
    assert rows[1] == "1,1,14,18"
    assert all(cell.isdecimal() for row in rows for cell in row.split(","))


@pytest.mark.parametrize("first", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("repaired", [False, True])
def test_all_formats_hold_the_same_track(request, video, tmp_path, first, repaired):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    tracker = request.getfixturevalue("repairer" if repaired else "tracker")
    formats = dict.fromkeys([first, "csv", "jsonl", "parquet"])
    predict_video(tracker, video, place(tmp_path, *formats))
    one, *others = (read_track(tmp_path / f"track.{format}") for format in formats)
    assert len(one) == FRAMES
    for other in others:
        for name in one.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(other, name), getattr(one, name))
    left = {"summary.json", *(f"track.{format}" for format in formats)}
    assert set(os.listdir(tmp_path)) == left


def test_repaired_frames_are_in_the_file(repairer, tmp_path):
    """The file that grew while the video was read is written again after repair."""
    (tmp_path / "images").mkdir()
    for frame in range(12):
        picture = paint(SIZE, *[(10 + 3 * frame, 20)] * (frame not in (5, 6)))
        cv2.imwrite(str(tmp_path / "images" / f"{frame:02d}.png"), picture)
    summary = predict_video(repairer, tmp_path / "images", place(tmp_path / "out"))
    rows = [line.split(",") for line in read_lines(tmp_path / "out" / "track.csv")[1:]]
    assert [row[0] for row in rows if row[5] == "repaired"] == ["5", "6"]
    assert summary["status"] == {"detected": 10, "repaired": 2}
    assert summary["rectifier_sha256"] == repairer.rectifier.sha256


@pytest.mark.parametrize("name", ["tracker", "repairer"])
def test_rejected_detections_are_kept_in_a_list_of_their_own(request, tmp_path, name):
    """Of a frame that was filled in afterwards, too."""
    (tmp_path / "images").mkdir()
    for frame in range(12):
        place = (60, 4) if frame == 6 else (4 + 3 * frame, 20)
        cv2.imwrite(str(tmp_path / "images" / f"{frame:02d}.png"), paint(SIZE, place))
    tracker = request.getfixturevalue(name)
    paths = OutputPaths.inside(tmp_path / "out", ["csv"], overlay=False, rejected=True)
    predict_video(tracker, tmp_path / "images", paths)
    track = read_track(tmp_path / "out" / "track.csv")
    assert track.status[6] == ("rejected" if name == "tracker" else "repaired")
    if name == "tracker":
        assert np.isnan(track.positions[6]).all()
    header, *rows = read_lines(tmp_path / "out" / "rejected.csv")
    assert header == "Frame,RejectedX,RejectedY,Confidence,Time"
    ((frame, x, y, confidence, _),) = (map(float, row.split(",")) for row in rows)
    assert (frame, x, y) == pytest.approx((6, 60, 4), abs=0.01)
    assert confidence == pytest.approx(track.confidence[5], abs=0.01)
    with pytest.raises(InputError):  # nobody takes it for a track
        read_track(tmp_path / "out" / "rejected.csv")


def test_summary_says_what_was_done_with_what(tracker, weights, video, tmp_path):
    returned = predict_video(tracker, video, place(tmp_path, overlay=True))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary == returned
    expected = {
        "command": "predict",
        "complete": True,
        "source": str(video.resolve()),
        "width": 64,
        "height": 36,
        "fps": "25",
        "frames": FRAMES,
        "frames_promised": FRAMES,
        "status": {"detected": FRAMES},
        "weights": str(weights),
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "trained_on": "dots",
        "rectifier": None,
        "linker": None,
        "network": "v2",
        "mode": "fast",
        "stabilized": False,
        "threshold": 0.5,
        "least_confidence": 0.5,
        "backend": keras.backend.backend(),
        "engine": "keras",
        "precision": "float32",
    }
    assert {name: summary[name] for name in expected} == expected
    assert {"version", "device", "seconds", "frames_per_second"} <= summary.keys()
    assert tuple(summary["milliseconds"]) == STAGES
    idle = {"background", "link"}  # it sees none, and has no linker
    assert {stage for stage, time in summary["milliseconds"].items() if not time} == idle


@pytest.mark.parametrize("linked", [True, False])
def test_summary_names_the_linker(weights, video, tmp_path, linked):
    linker, spec = tmp_path / "linker.keras", ModelSpec("linker", 8, 0, "none", (0, 0))
    save_model(randomize_weights(build_tiny("linker", window=8)), spec, linker)
    used = linker if linked else None
    tracker = Tracker(weights, linker=used, threshold=0.7, precision="float32")
    summary = predict_video(tracker, video, place(tmp_path / "out"))
    assert summary["linker"] == (str(linker) if linked else None)
    assert (summary["linker_sha256"] is not None) == linked
    assert summary["least_confidence"] == (0.5 if linked else 0.7)


def test_overlay_is_a_video_of_the_same_frames(tracker, video, tmp_path):
    predict_video(tracker, video, place(tmp_path, overlay=True))
    info = probe_video(tmp_path / "overlay.mp4")
    assert (info.width, info.height, info.frames) == (64, 36, FRAMES)
    assert set(os.listdir(tmp_path)) == {"track.csv", "overlay.mp4", "summary.json"}


def test_progress_counts_every_frame(tracker, video, tmp_path):
    for formats in (["csv"], ["jsonl", "csv"]):
        watcher = Watcher("tracking", lambda done: None)
        predict_video(tracker, video, place(tmp_path, *formats), reporter=watcher)
        assert watcher.done == FRAMES


# --- what an interruption leaves


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_first_track_file_grows_with_the_video(tracker, video, tmp_path, format):
    headings = int(format == "csv")
    lines = []
    watcher = Watcher(
        "tracking", lambda done: lines.append(len(read_lines(tmp_path / f"track.{format}")))
    )
    predict_video(tracker, video, place(tmp_path, format), reporter=watcher)
    assert lines == [headings + done for done in range(1, FRAMES + 1)]


def test_plots_go_beside_the_track(tracker, video, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    paths = OutputPaths.choose(video, tmp_path / "a.csv", [], overlay=False, plots=True)
    predict_video(tracker, video, paths)
    assert {p.name for p in tmp_path.glob("a.*.png")} == {f"a.{name}.png" for name in PLOTS}
    for path in (*paths.tracks, paths.summary):
        path.unlink()
    with pytest.raises(InputError, match=rf"a\.{PLOTS[0]}\.png: already exists"):
        paths.check_free()


def test_plots_lie_in_the_folder_that_was_asked_for(video, tmp_path):
    paths = OutputPaths.choose(video, tmp_path / "plots", [], overlay=False, plots=True)
    assert paths.plots == name_plots(tmp_path / "plots")
    assert {path.parent for path in paths.plots} == {paths.summary.parent}


def test_interruption_keeps_the_track_so_far(tracker, video, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict_video(
            tracker,
            video,
            place(tmp_path, "csv", "jsonl", overlay=True),
            reporter=Watcher("tracking", interrupt_at(5)),
        )
    assert len(read_track(tmp_path / "track.csv")) == 5
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["complete"], summary["frames"]) == (False, 5)
    assert set(os.listdir(tmp_path)) == {"track.csv", "summary.json"}


def test_interruption_keeps_the_track_so_far_in_parquet_too(tracker, video, tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(KeyboardInterrupt):
        predict_video(
            tracker,
            video,
            place(tmp_path, "parquet"),
            reporter=Watcher("tracking", interrupt_at(5)),
        )
    assert len(read_track(tmp_path / "track.parquet")) == 5


def test_interruption_of_the_overlay_keeps_the_whole_track(tracker, video, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict_video(
            tracker,
            video,
            place(tmp_path, overlay=True),
            reporter=Watcher("drawing", interrupt_at(3)),
        )
    assert len(read_track(tmp_path / "track.csv")) == FRAMES
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["complete"], summary["frames"]) == (False, FRAMES)
    assert set(os.listdir(tmp_path)) == {"track.csv", ".track.raw.csv", "summary.json"}


# --- what cannot be written


def test_nothing_is_written_for_a_video_that_cannot_be_read(tracker, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    paths = place(tmp_path / "out", overlay=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "track.csv").write_text("of before")
    with pytest.raises(InputError, match=r"text\.mp4: cannot be opened as a video"):
        predict_video(tracker, tmp_path / "text.mp4", paths)
    assert os.listdir(tmp_path / "out") == ["track.csv"]
    assert (tmp_path / "out" / "track.csv").read_text() == "of before"


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_output_that_is_a_file_is_an_input_error(tracker, video, tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"/file: cannot be written .*choose another path"):
        predict_video(tracker, video, place(tmp_path / "file", format))
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("formats", [("csv",), ("jsonl", "csv")])
def test_full_disk_names_the_file(tracker, video, tmp_path, formats):
    (tmp_path / f"track.{formats[0]}").symlink_to("/dev/full")
    message = (
        rf"track\.{formats[0]}: cannot be written \(No space left on device\); free some disk space"
    )
    with pytest.raises(InputError, match=message):
        predict_video(tracker, video, place(tmp_path, *formats))


def test_missing_pyarrow_is_told_before_the_video_is_tracked(tracker, video, tmp_path, monkeypatch):
    def missing():
        raise InputError("Parquet requires pyarrow; run: pip install 'keras_tracknet[parquet]'")

    monkeypatch.setattr(track_files, "import_parquet", missing)
    watcher = Watcher("tracking", lambda done: pytest.fail("the video was tracked"))
    with pytest.raises(InputError, match="pip install"):
        predict_video(tracker, video, place(tmp_path, "csv", "parquet"), reporter=watcher)
    assert os.listdir(tmp_path) == []
