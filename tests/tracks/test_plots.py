import importlib.util

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks import plots
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REPAIRED
from keras_tracknet.tracks.track import Track

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

BACKGROUND = np.full((72, 128, 3), 120, np.uint8)


def make_track(statuses, x=None, time=True):
    """Return a track that goes right by 4 pixels per frame, at 25 frames per second."""
    frames = len(statuses)
    seen = np.array([status != ABSENT for status in statuses])
    x = 10 + 4.0 * np.arange(frames) if x is None else np.asarray(x, float)
    return Track(
        x=np.where(seen, x, np.nan),
        y=np.where(seen, 30.0, np.nan),
        confidence=np.where(seen, 0.9, 0.1),
        status=np.array(statuses),
        time=np.arange(frames) / 25 if time else np.full(frames, np.nan),
    )


WHOLE = make_track([DETECTED] * 4 + [REPAIRED] * 2 + [DETECTED] * 2 + [ABSENT] * 3)


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize(
    "track",
    [WHOLE, make_track([ABSENT] * 3), make_track([DETECTED]), make_track([ABSENT], time=False)],
    ids=["whole", "no ball at all", "one frame", "one frame without time"],
)
def test_four_pictures_are_written(tmp_path, track):
    paths = plots.name_plots(tmp_path / "new", prefix="a.")
    plots.plot_track(track, BACKGROUND, paths, threshold=0.5)
    assert [path.name for path in paths] == [f"a.{name}.png" for name in plots.PLOTS]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_trajectory_is_broken_where_the_ball_is_absent_or_jumps():
    track = make_track([DETECTED] * 7, x=[10, 14, 18, 100, 104, 108, 112])
    gap = make_track([DETECTED, DETECTED, ABSENT, DETECTED, DETECTED])
    for drawn, steps in ((track, 5), (gap, 2)):
        axes = plots.draw_trajectory(drawn, BACKGROUND).axes[0]
        assert len(axes.collections[0].get_segments()) == steps


def test_repaired_and_absent_frames_are_marked():
    upper, lower = plots.draw_positions(WHOLE, (72, 128)).axes
    assert labels(upper) == ["absent", "detected", "repaired"]
    (repaired,) = (line for line in upper.lines if line.get_label() == "repaired")
    np.testing.assert_allclose(repaired.get_xdata(), [4 / 25, 5 / 25])
    np.testing.assert_allclose(repaired.get_ydata(), [26, 30])
    (span,) = upper.patches
    np.testing.assert_allclose([span.get_x(), span.get_x() + span.get_width()], [8 / 25, 11 / 25])
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("x (pixels)", "y (pixels)")
    assert lower.get_ylim() == (72, 0)  # y goes down
    assert lower.get_xlabel() == "time (seconds)"


def test_frames_stand_in_for_unknown_times():
    axes = plots.draw_confidence(make_track([DETECTED] * 3, time=False)).axes[0]
    assert axes.get_xlabel() == "frame"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0, 1, 2])


def test_heat_map_is_hottest_where_the_ball_was_longest():
    track = make_track([DETECTED] * 9, x=[100] * 8 + [20])
    figure = plots.draw_heat_map(track, BACKGROUND)
    heat = np.asarray(figure.axes[0].images[1].get_array())
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert (4 * column + 2, 4 * row + 2) == pytest.approx((100, 30), abs=4)


def test_missing_matplotlib_is_told_in_a_line(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'keras_tracknet\[plots\]'"):
        plots.plot_track(WHOLE, BACKGROUND, plots.name_plots(tmp_path))


def test_unwritable_folder_is_told_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written.*choose another path"):
        plots.plot_track(WHOLE, BACKGROUND, plots.name_plots(tmp_path / "file"))
