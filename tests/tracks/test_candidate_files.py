"""Candidate files: what is written is read back, and what is none is refused."""

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.candidate_files import read_candidates, write_candidates


def test_candidates_come_back(tmp_path):
    rng = np.random.default_rng(0)
    places, heat = rng.uniform(0, 1000, (6, 3, 2)), np.sort(rng.uniform(0.1, 1, (6, 3)))[:, ::-1]
    heat = heat * (np.arange(3) < [[3], [0], [1], [2], [3], [0]])
    write_candidates(zip(places, heat, strict=True), tmp_path / "clip.csv")
    found_places, found_heat = read_candidates(tmp_path / "clip.csv", 6, 3)
    np.testing.assert_allclose(found_heat, heat, atol=1e-4)
    np.testing.assert_allclose(found_places, places * (heat[..., None] > 0), atol=0.01)


@pytest.mark.parametrize(("frames", "count"), [(2, 3), (9, 3), (6, 1)])
def test_clip_may_be_shorter_or_longer_and_have_fewer_candidates(tmp_path, frames, count):
    heat = np.array([0.9, 0.5, 0.2])
    write_candidates(((np.zeros((3, 2)), heat) for _ in range(6)), tmp_path / "clip.csv")
    _, found = read_candidates(tmp_path / "clip.csv", frames, count)
    assert found.shape == (frames, count)
    np.testing.assert_allclose(found[:6], [heat[:count]] * min(frames, 6))
    assert not found[6:].any()


def test_clip_without_candidates_has_none(tmp_path):
    write_candidates([(np.zeros((5, 2)), np.zeros(5))] * 4, tmp_path / "clip.csv")
    assert not read_candidates(tmp_path / "clip.csv", 4, 5)[1].any()


@pytest.mark.parametrize(
    "text", [None, "no table", "Frame,X,Y,Heat\n0,1,2\n", "Frame,X,Y,Heat\n0,1,x,2\n"]
)
def test_what_is_no_candidate_file_is_refused(tmp_path, text):
    path = tmp_path / "clip.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"clip\.csv: no candidates can be read; write them with"):
        read_candidates(path, 4, 5)
