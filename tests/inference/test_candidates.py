"""Candidates: the peaks of a heatmap, and how the linker takes them."""

import numpy as np
import pytest

from keras_tracknet.inference.candidates import as_candidates, find_candidates, scale_heat
from keras_tracknet.training.batches.heatmaps import render_gaussian

SIZE = (72, 128)  # (height, width)


def draw(*balls):
    """Return a heatmap with Gaussian blobs: (x, y, height)."""
    maps = [np.zeros(SIZE)]
    maps += [height * render_gaussian([(x, y)], SIZE)[..., 0] for x, y, height in balls]
    return np.maximum.reduce(maps).astype(np.float32)


@pytest.mark.parametrize(
    "place",
    [(40.0, 30.0), (40.5, 30.25), (0.0, 0.0), (127.0, 71.0), (3.0, 70.0)],
    ids=["pixel", "between pixels", "corner", "other corner", "edge"],
)
def test_peak_is_found_where_it_was_drawn(place):
    (x, y, heat), *others = find_candidates(draw((*place, 0.8)))
    assert heat == pytest.approx(0.8, abs=0.08)
    assert (x, y) == pytest.approx(place, abs=1.5 if 0 in place or 127.0 in place else 0.3)
    assert not np.any(others)


def test_highest_peaks_come_first():
    found = find_candidates(draw((20, 20, 0.3), (60, 40, 0.9), (100, 60, 0.5)), 2)
    assert found[:, 2] == pytest.approx([0.9, 0.5], abs=0.01)
    assert found[0, :2] == pytest.approx([60, 40], abs=0.1)
    assert found[1, :2] == pytest.approx([100, 60], abs=0.1)


def test_flat_top_is_one_candidate():
    heatmap = np.zeros(SIZE, np.float32)
    heatmap[30:33, 50:54] = 0.7
    found = find_candidates(heatmap)
    assert found[0] == pytest.approx([51.5, 31.0, 0.7])
    assert not found[1:].any()


@pytest.mark.parametrize("level", [0.0, 0.03], ids=["empty", "faint everywhere"])
def test_nothing_is_no_candidate(level):
    assert not find_candidates(np.full(SIZE, level, np.float32)).any()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.62])
def test_threshold_becomes_one_half(threshold):
    heat = np.array([0.0, threshold / 2, threshold, (1 + threshold) / 2, 1.0])
    scaled = scale_heat(heat, threshold)
    assert scaled[[0, 2, 4]] == pytest.approx([0, 0.5, 1], abs=1e-5)
    assert (np.diff(scaled) > 0).all()


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_extreme_thresholds_leave_finite_heat(threshold):
    scaled = scale_heat(np.array([0.0, 0.5, 1.0]), threshold)
    assert np.isfinite(scaled).all()
    assert scaled[0] == 0


def test_places_are_heights_from_the_centre():
    corner, centre = [-0.5, -0.5], [639.5, 359.5]
    found = as_candidates(np.array([corner, centre, centre]), np.array([0.5, 0.7, 0]), (720, 1280))
    assert found[0] == pytest.approx([-640 / 720, -0.5, 0.5])
    assert found[1] == pytest.approx([0, 0, 0.7])
    assert not found[2].any()  # no candidate, wherever it says that it is
