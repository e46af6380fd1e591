import numpy as np
import pytest
from helpers_trackers import SIZE, make_detector, paint, show_frames

from keras_tracknet.frames import background as backgrounds
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.shots import show_one_view, split_shots

DARK, BRIGHT = 20, 120  # two views: everything differs by 100 levels


def split(pictures):
    return [(start, list(shot)) for start, shot in split_shots(pictures, lambda p: p)]


@pytest.mark.parametrize(
    ("shades", "expected"),
    [
        ([], []),
        ([DARK], [(0, 1)]),
        ([DARK] * 5, [(0, 5)]),
        ([DARK] * 3 + [BRIGHT] * 2, [(0, 3), (3, 2)]),
        ([DARK, BRIGHT, DARK], [(0, 1), (1, 1), (2, 1)]),  # shots of one frame
        ([20, 25, 30, 35, 40], [(0, 5)]),  # slowly brighter: no cut
    ],
)
def test_a_stream_is_split_where_everything_changes(shades, expected):
    pictures = [np.full((*SIZE, 3), shade, np.uint8) for shade in shades]
    found = split(pictures)
    assert [(start, len(shot)) for start, shot in found] == expected
    for start, shot in found:
        for place, picture in enumerate(shot):
            assert picture is pictures[start + place]


def test_a_player_who_moves_is_no_cut():
    pictures = [paint((288, 512), (100 + 12 * n, 150), radius=20) for n in range(20)]
    assert len(split(pictures)) == 1
    assert show_one_view(pictures[0], pictures[-1])


def test_no_window_goes_across_a_cut(monkeypatch):
    """The third frame of a window is white; windows that begin anew at the cut do not see it."""
    seen = []

    class Watched(type(Tracker(make_detector(), precision="float32").network)):
        def run(self, inputs):
            seen.extend(frame.mean() for frame in inputs[0].reshape(-1, *inputs[0].shape[2:]))
            return super().run(inputs)

    network = Watched(make_detector(), precision="float32", batch_size=1)
    show_frames(monkeypatch, [paint(SIZE, shade=DARK)] * 4 + [paint(SIZE, shade=BRIGHT)] * 5)
    track = Tracker(network).stream("clip.mp4").collect()
    assert len(track) == 9
    assert track.shots == (0, 4)
    windows = np.array(seen).reshape(-1, 3)
    assert len(windows) == 4
    assert (np.ptp(windows, axis=1) == 0).all()


def test_a_shot_of_another_view_has_its_own_background(monkeypatch):
    """Before its own background the bright shot is no brighter than that, so nothing is found."""
    detector = make_detector("v3", frames=4, background="concat")
    main = [paint(SIZE, (9 + n, 9), shade=DARK) for n in range(12)]
    away = [paint(SIZE, shade=BRIGHT)] * 8
    show_frames(monkeypatch, main + away)
    rows = list(Tracker(detector, precision="float32").stream("clip.mp4"))
    assert [row.visible for row in rows[12:]] == [False] * 8
    monkeypatch.setattr(backgrounds, "show_one_view", lambda *_: True)
    wrong = list(Tracker(detector, precision="float32").stream("clip.mp4"))
    assert any(row.visible for row in wrong[12:])


def test_gaps_are_not_filled_across_a_cut():
    class Midway(type(Tracker(make_detector(), precision="float32").network)):
        def run(self, inputs):
            return inputs[0]

    from dataclasses import replace

    from helpers_models import build_tiny, randomize_weights

    from keras_tracknet.weights.model_file import ModelFile
    from keras_tracknet.weights.spec import ModelSpec

    spec = ModelSpec("rectifier", 8, 0, "none", (0, 0), hidden="interpolated")
    rectifier = randomize_weights(build_tiny("rectifier", window=8))
    file = ModelFile(rectifier, spec, replace(make_detector()).path, "0", {})
    tracker = Tracker(make_detector(), rectifier=file, max_gap=2, precision="float32")
    visible = np.ones(20, bool)
    visible[9:11] = False
    track = Track.from_positions(np.full(20, 20.0), np.full(20, 20.0), visible)
    assert tracker.repair(track, SIZE).visibility.all()
    assert not tracker.repair(replace(track, shots=(0, 10)), SIZE).visibility[9:11].any()


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
@pytest.mark.parametrize("first", [1, 7, 8, 12, 19])
def test_rows_from_a_later_frame_are_those_from_the_beginning(monkeypatch, mode, first):
    images = [paint(SIZE, (6 + 2 * n, 9 + n)) for n in range(20)]
    show_frames(monkeypatch, images)
    tracker = Tracker(make_detector("v3", frames=8), mode=mode, precision="float32")
    whole = list(tracker.stream("clip.mp4"))
    assert list(tracker.stream("clip.mp4", first=first)) == whole[first:]
