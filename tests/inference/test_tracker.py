from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from helpers_clips import write_video
from helpers_models import build_tiny, randomize_weights
from helpers_trackers import (
    SIZE,
    dot_of,
    make_detector,
    make_tracker,
    paint,
    save_detector,
    show_frames,
)

from keras_tracknet.errors import InputError
from keras_tracknet.inference.stages import STAGES, Stopwatch
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REJECTED, REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video import reader as video
from keras_tracknet.video.part import Part
from keras_tracknet.video.reader import read_frames
from keras_tracknet.weights.model_file import ModelFile
from keras_tracknet.weights.spec import ModelSpec

SOURCE = Path("clip.mp4")  # never opened where frames come from `show`


@pytest.fixture
def show(monkeypatch):
    """Return a function that makes every video consist of the pictures it is given."""
    return partial(show_frames, monkeypatch)


# --- positions, times and the background


@pytest.mark.parametrize(
    ("size", "tolerance"),
    [
        ((32, 64), 0.01),  # the model's own
        ((96, 128), 0.01),  # 4:3, the dot on whole pixels of the model
        ((128, 96), 0.8),  # portrait
        ((96, 40), 0.8),  # narrower than the model
        ((75, 131), 0.8),  # odd
        ((288, 512), 0.8),
    ],
)
def test_positions_are_in_pixels_of_the_source(show, size, tolerance):
    height, width = size
    down, across = max(3, 3 * height // 32), max(3, 3 * width // 64)  # of the dot
    tops = [height // 2 // down * down, height // 4 // down * down, 0]
    lefts = [width // 3 // across * across, 0, width // 2 // across * across]
    images, dots = [], []
    for top, left in zip(tops, lefts, strict=True):
        image = np.full((*size, 3), 20, np.uint8)
        image[top : top + down, left : left + across] = 255
        images.append(image)
        dots.append((left + (across - 1) / 2, top + (down - 1) / 2))
    show(images)
    track = make_tracker().track(SOURCE)
    assert np.abs(track.positions - dots).max() < tolerance


def test_times_are_the_frames_own(show):
    times = [0.0, 0.04, 0.11, 0.12, 5.5]
    show([paint(SIZE, (9, 9))] * 5, times)
    assert make_tracker().track(SOURCE).time.tolist() == times


def test_video_file_is_tracked_from_end_to_end(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 10)
    tracker = Tracker(save_detector(tmp_path / "v2.keras"), precision="float32")
    track = tracker.track(path)
    expected = [(6 + 8 * frame % 50, 18) for frame in range(10)]
    assert np.abs(track.positions - expected).max() < 1
    np.testing.assert_allclose(track.time, [frame.time for frame in read_frames(path)])


def test_folder_of_images_is_a_source(tmp_path):
    for frame in range(12):  # 10.png comes after 9.png
        cv2.imwrite(str(tmp_path / f"{frame}.png"), paint(SIZE, dot_of(frame)))
    track = make_tracker().track(str(tmp_path))
    np.testing.assert_allclose(track.positions, [dot_of(f) for f in range(12)], atol=0.01)


def test_background_is_that_of_the_video(show):
    """A white mark that stays is part of the background; with nothing moving, all is."""
    mark = (50, 20)
    show([paint(SIZE, mark, dot_of(frame)) for frame in range(9)])
    track = make_tracker("8-in-8", background="concat").track(SOURCE)
    np.testing.assert_allclose(track.positions, [dot_of(f) for f in range(9)], atol=0.1)
    show([paint(SIZE, mark)] * 9)
    assert not make_tracker("8-in-8", background="concat").track(SOURCE).visibility.any()
    assert make_tracker("8-in-8").track(SOURCE).visibility.all()


def test_background_of_a_video_much_shorter_than_it_says(tmp_path, monkeypatch):
    path = write_video(tmp_path / "cut.mp4", 6)
    monkeypatch.setattr(video, "_estimate_frames", lambda container, stream: 5000)
    track = make_tracker("8-in-8", background="concat").track(path)
    assert len(track) == 6


def test_threshold_is_the_weights_unless_given(show):
    image = paint(SIZE)
    image[9:12, 9:12] = 160  # probability 0.74
    show([image] * 3)
    for own, given, visible in [(0.5, None, True), (0.9, None, False), (0.9, 0.6, True)]:
        tracker = Tracker(make_detector(threshold=own), threshold=given, precision="float32")
        track = tracker.track(SOURCE)
        assert track.visibility.all() == visible
        np.testing.assert_allclose(track.confidence, 0.743, atol=0.01)


def test_progress_and_time_by_stage_are_reported(show):
    show([paint(SIZE, (9, 9))] * 7)
    done, watch = [], Stopwatch()
    make_tracker().track(SOURCE, advance=done.append, stopwatch=watch)
    assert sum(done) == 7
    assert tuple(watch.seconds) == STAGES
    idle = {"link", "draw", "encode", "write"}  # this only tracks, without a linker
    assert {stage for stage, seconds in watch.seconds.items() if not seconds} == idle


# --- what is no tracker


def as_file(kind, **settings):
    specs = {
        "v2": ModelSpec("v2", 3, 3, "none", SIZE),
        "rectifier": ModelSpec("rectifier", 16, 0, "none", (0, 0)),
        "linker": ModelSpec("linker", 8, 0, "none", (0, 0)),
    }
    model = build_tiny(kind)
    if settings.get("trained", True):
        randomize_weights(model)
    return ModelFile(model, specs[kind], Path(f"{kind}.keras"), "", {})


@pytest.mark.parametrize(
    ("weights", "others", "message"),
    [
        (("v2", False), {}, r"v2\.keras: weights are untrained.*tracknet fit"),
        (("v2", True), {"rectifier": ("rectifier", False)}, r"rectifier\.keras: .* are untrained"),
        (("rectifier", True), {}, r"rectifier\.keras: is a rectifier, not a tracker"),
        (("v2", True), {"rectifier": ("v2", True)}, r"v2\.keras: is a tracker, not a rectifier"),
        (("v2", True), {"linker": ("rectifier", True)}, "is a rectifier, not a linker; use it as"),
        (("linker", True), {}, r"linker\.keras: is a linker, not a tracker; use it as `linker`"),
    ],
)
def test_unfit_weights_are_refused(weights, others, message):
    others = {role: as_file(kind, trained=trained) for role, (kind, trained) in others.items()}
    with pytest.raises(InputError, match=message):
        Tracker(as_file(weights[0], trained=weights[1]), **others)


@pytest.mark.parametrize(
    ("weights", "rectifier", "message"),
    [
        (
            "model",
            None,
            "`weights` must be a name, .*save the model with save_model .*Received: <Functional",
        ),
        (None, None, "`weights` must be a name, .*Received: None"),
        ("file", 3, "`rectifier` must be a name, .*Received: 3"),
    ],
)
def test_what_is_no_loaded_model_is_a_type_error(weights, rectifier, message):
    known = {"model": lambda: build_tiny("v2"), "file": make_detector}
    with pytest.raises(TypeError, match=message):
        Tracker(known[weights]() if weights in known else weights, rectifier=rectifier)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "slow"}, "`mode` must be one of fast, balanced, accurate.*'slow'"),
        ({"decode": "guess"}, "`decode` must be centroid or published.*'guess'"),
        ({"precision": "float8"}, "`precision` must be one of .*float8"),
        ({"threshold": 1.5}, r"`threshold` must be 0 to 1.*threshold=1\.5"),
        ({"batch_size": 0}, "`batch_size` must be at least 1.*batch_size=0"),
        ({"sampling": "guess"}, "`sampling` must be own or published.*'guess'"),
        ({"sampling": "published"}, 'requires `decode="published"`'),
        (
            {"sampling": "published", "decode": "published", "mode": "balanced"},
            'no mode balanced; use `mode="fast"`',
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Tracker(make_detector(), **settings)


def test_published_decoding_is_for_stretched_pictures():
    with pytest.raises(InputError, match="not a network of the published V3 code"):
        Tracker(make_detector(fit="letterbox"), decode="published")


# --- a linker


def make_linker(choice=0):
    """Return a linker that is sure of one candidate, wherever it is."""
    inputs = keras.Input((8, 5, 3), name="candidates")
    logits = np.full(6, -9.0, np.float32)
    logits[choice] = 9.0
    flat = keras.layers.Dense(6, name="logits")(keras.layers.Reshape((8, 15))(inputs))
    model = keras.Model(inputs, keras.layers.Softmax(name="choice")(flat))
    model.get_layer("logits").set_weights([np.zeros((15, 6), np.float32), logits])
    return ModelFile(model, ModelSpec("linker", 8, 0, "none", (0, 0)), Path("linker.keras"), "", {})


@pytest.mark.parametrize(("choice", "expected"), [(0, (40, 20)), (1, (12, 8)), (5, None)])
def test_position_is_that_of_the_candidate_the_linker_chooses(show, choice, expected):
    bright, faint = paint(SIZE, (40, 20), radius=2), paint(SIZE, (12, 8), radius=2)
    show([np.maximum(bright, np.where(faint == 255, 160, 0).astype(np.uint8))] * 11)
    tracker = Tracker(make_detector(), linker=make_linker(choice), precision="float32")
    track = tracker.stream(SOURCE).collect()
    assert len(track) == 11
    if expected is None:
        assert (track.status == ABSENT).all()
        assert track.confidence.max() < 0.01
    else:
        assert (track.status == DETECTED).all()
        np.testing.assert_allclose(track.positions, [expected] * 11, atol=0.1)
        assert track.confidence.min() > 0.99


@pytest.mark.parametrize("first", [1, 9, 17])
def test_linked_rows_are_the_same_from_any_frame_on(show, first):
    show([paint(SIZE, dot_of(frame), dot_of(frame + 7)) for frame in range(40)])
    inputs = keras.Input((8, 5, 3), name="candidates")
    x = keras.layers.Dense(48)(keras.layers.Flatten()(inputs))  # all of the window counts
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Reshape((8, 6))(x)))
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).normal(0, 1, weight.shape))
    linker = replace(make_linker(), model=model)
    tracker = Tracker(make_detector(), linker=linker, precision="float32")
    whole = tracker.stream(SOURCE).collect()
    assert 5 < whole.visibility.sum() < 35
    part = [(row.x, row.y, row.confidence) for row in tracker.stream(SOURCE, first=first)]
    expected = np.column_stack([whole.positions, whole.confidence])[first:]
    np.testing.assert_allclose(part, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("version", "settings"),
    [("v1", {}), ("v2", {"decode": "published"})],
)
def test_linker_is_for_heatmaps_that_are_read_by_their_peaks(version, settings):
    detector = make_detector(version, heatmaps=1 if version == "v1" else 3)
    with pytest.raises(InputError, match="a linker requires heatmaps of V2 or later"):
        Tracker(detector, linker=as_file("linker"), **settings)
    with pytest.raises(InputError, match="a linker requires heatmaps of V2 or later"):
        Tracker(detector, **settings).propose(SOURCE)  # at once, before anything is tracked


def make_wary_linker():
    """Return a linker that takes nothing for the ball if the frame after the first shows any."""
    inputs = keras.Input((8, 5, 3), name="candidates")
    x = keras.layers.Dense(48, name="logits")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Reshape((8, 6))(x)))
    kernel, bias = np.zeros((8, 5, 3, 8, 6), np.float32), np.zeros((8, 6), np.float32)
    kernel[1, 0, 2, :, -1], bias[:, 0] = 40.0, 9.0
    model.get_layer("logits").set_weights([kernel.reshape(120, 48), bias.ravel()])
    return replace(make_linker(), model=model)


@pytest.mark.parametrize(("fps", "found"), [(10.0, True), (15.0, True), (25.0, False)])
def test_linker_sees_pictures_as_far_apart_as_they_were_taken(fps, found):
    tracker = Tracker(make_detector(), linker=make_wary_linker(), precision="float32")
    track = tracker.track_frames([paint(SIZE, dot_of(k)) for k in range(12)], fps=fps)
    assert bool(track.visibility[0]) == found


def test_linker_sees_every_third_frame_of_a_video_as_a_slow_video(show):
    tracker = Tracker(make_detector(), linker=make_wary_linker(), precision="float32")
    show([paint(SIZE, dot_of(frame)) for frame in range(12)])  # 25 frames per second
    assert not tracker.stream(SOURCE).collect().visibility[0]
    assert tracker.stream(SOURCE, part=Part(every=3)).collect().visibility[0]


def test_live_rows_do_without_the_linker(show):
    frames = [(k / 25, paint(SIZE, dot_of(k))) for k in range(12)]
    tracker = Tracker(make_detector(), linker=make_linker(5), precision="float32")
    assert {row.status for row in tracker.stream_live(frames)} == {DETECTED}


# --- the published code's coordinates


@pytest.mark.parametrize("mode", ["fast", "accurate"])
def test_published_coordinates_are_truncated_pixels_of_the_source(show, mode):
    tracker = Tracker(
        make_detector(), mode=mode, precision="float32", decode="published", sampling="published"
    )
    dots = [(20 + 6 * frame, 31 + 2 * frame) for frame in range(7)]
    show([paint((96, 160), dot, radius=4) for dot in dots])
    track = tracker.track(SOURCE)
    assert len(track) == 7
    assert (track.status == DETECTED).all()
    np.testing.assert_array_equal(track.positions, np.trunc(track.positions))
    # Whole pixels of the model, each 2.5 of the source wide and 3 high.
    assert set((track.x % 2.5).tolist()) <= {0.0, 2.0}
    assert set((track.y % 3).tolist()) == {0.0}
    assert np.abs(track.positions - dots).max() < 4


@pytest.mark.parametrize("mode", ["fast", "accurate"])
def test_published_repairs_reach_to_the_start(show, mode):
    """The rule of this package never fills in a clip's start."""
    model = randomize_weights(build_tiny("rectifier", window=4))
    spec = ModelSpec("rectifier", 4, 0, "none", (0, 0))
    rectifier = ModelFile(model, spec, Path("rectifier.keras"), "", {})
    settings = {"mode": mode, "precision": "float32", "decode": "published"}
    show([paint(SIZE, *[(30, 20)] * (frame > 1)) for frame in range(6)])
    own = Tracker(make_detector(), rectifier=rectifier, **settings).track(SOURCE)
    assert own.status.tolist() == [ABSENT] * 2 + [DETECTED] * 4
    published = Tracker(
        make_detector(), rectifier=rectifier, sampling="published", **settings
    ).track(SOURCE)
    assert np.flatnonzero(published.status == REPAIRED).tolist() == [0, 1]


@pytest.mark.parametrize("fit", ["letterbox", "longest"])
def test_pictures_that_are_not_stretched_come_back_to_their_place(show, fit):
    tracker = Tracker(make_detector(fit=fit), precision="float32")
    show([paint((96, 128), (60, 50), radius=6)] * 3)
    track = tracker.track(SOURCE)
    assert np.abs(track.positions - (60, 50)).max() < 2


# --- repair


@pytest.fixture(scope="module")
def repairer():
    detector = replace(make_detector(), spec=replace(make_detector().spec, frames=3))
    return Tracker(detector, rectifier=as_file("rectifier"), max_gap=6, precision="float32")


def make_track(visible):
    x = np.linspace(10.25, 50.75, len(visible))
    y = np.full(len(visible), 17.5)
    return Track.from_positions(x, y, visible)


def test_repair_fills_gaps_and_leaves_detections_alone(repairer):
    visible = np.ones(40, bool)
    visible[8:12] = visible[20:21] = False
    visible[25:35] = False  # longer than max_gap
    visible[39] = False  # nothing behind it
    track = make_track(visible)
    repaired = repairer.repair(track, SIZE)
    filled = np.flatnonzero(repaired.status == REPAIRED)
    assert filled.tolist() == [8, 9, 10, 11, 20]
    assert (track.status[filled] == ABSENT).all()
    kept = np.setdiff1d(np.arange(40), filled)
    for name in ("x", "y", "status", "confidence", "time"):
        np.testing.assert_array_equal(getattr(repaired, name)[kept], getattr(track, name)[kept])
    assert np.isfinite(repaired.positions[filled]).all()
    assert ((repaired.positions[filled] >= 0) & (repaired.positions[filled] <= (64, 32))).all()


def test_stream_is_raw_and_track_is_repaired(show, repairer):
    show([paint(SIZE, *[(20 + n, 20)] * (not 7 <= n < 9)) for n in range(20)])
    raw = Track.from_rows(repairer.stream(SOURCE))
    track = repairer.track(SOURCE)
    assert np.flatnonzero(raw.status == ABSENT).tolist() == [7, 8]
    assert np.flatnonzero(track.status == REPAIRED).tolist() == [7, 8]


def test_without_a_rectifier_no_gap_is_filled_in():
    track = make_track([1, 0, 1])
    repaired = make_tracker().repair(track, SIZE)
    assert list(repaired.rows())[1].status == ABSENT
    np.testing.assert_array_equal(repaired.positions, track.positions)


def jump(track, frames):
    x = track.x.copy()
    x[frames] += 40
    return replace(track, x=x)


@pytest.mark.parametrize("rectified", [True, False])
def test_a_jump_of_the_track_is_taken_out_before_gaps_are_filled_in(rectified, repairer):
    tracker = repairer if rectified else make_tracker()
    track = jump(make_track([1] * 30), slice(12, 15))
    repaired = tracker.repair(track, SIZE)
    changed = np.flatnonzero(repaired.status != track.status)
    assert changed.tolist() == [12, 13, 14]
    assert set(repaired.status[12:15]) == {REPAIRED if rectified else REJECTED}


def test_a_cut_is_no_jump():
    track = jump(make_track([1] * 30), slice(12, 15))
    tracker = make_tracker()
    assert tracker.repair(replace(track, shots=(0, 12, 15)), SIZE).visibility.all()


@pytest.mark.parametrize("sampling", ["own", "published"])
def test_what_is_published_keeps_its_jumps(sampling):
    track = jump(make_track([1] * 30), slice(12, 15))
    settings = {"decode": "published", "sampling": sampling}
    tracker = Tracker(make_detector(), precision="float32", **settings)
    assert tracker.repair(track, SIZE).visibility.all()


# --- frames in memory


def test_frames_in_memory_give_the_track_of_a_video_of_them(show):
    images = [paint((64, 128), (8 + 5 * k, 8 + 3 * k), radius=4) for k in range(13)]
    show(images, [k / 30 for k in range(13)])
    told = []
    tracker = make_tracker()
    track = tracker.track_frames(np.stack(images), fps=30, advance=told.append)
    same = tracker.track(SOURCE)
    np.testing.assert_array_equal(track.positions, same.positions)
    np.testing.assert_array_equal(track.time, same.time)
    assert track.visibility.all()
    assert len(told) == 13


def test_frames_in_memory_are_seen_before_the_background_that_is_given():
    tracker = make_tracker("8-in-8", background="concat")
    images = np.stack([paint(SIZE, (20, 12))] * 8)
    assert not tracker.track_frames(images).visibility.any()  # a ball at rest is background
    found = tracker.track_frames(images, background=paint(SIZE))
    np.testing.assert_allclose(found.positions, [[20, 12]] * 8, atol=0.5)


def test_no_frames_are_an_error():
    with pytest.raises(InputError, match="no frames"):
        make_tracker().track_frames([])
