import numpy as np
import pytest
from helpers_clips import SIZE
from helpers_labels import BALL, DATASETS, FRAMES

from keras_tracknet.io.checks import check_dataset
from keras_tracknet.io.datasets import find_dataset, read_labels


@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_every_format_gives_the_same_track(tmp_path, write):
    write(tmp_path / "root")
    dataset = find_dataset(tmp_path / "root")
    name, layout = DATASETS[write]
    assert [clip.name for clip in dataset.clips] == [name]
    assert layout in dataset.layout
    assert dataset.doubts == ()
    track = read_labels(dataset.clips[0], size=SIZE).resized(FRAMES)
    assert track.labelled.all()
    assert np.flatnonzero(track.visibility).tolist() == list(BALL)
    np.testing.assert_allclose(track.positions[list(BALL)], list(BALL.values()), atol=1e-9)
    (report,) = check_dataset(dataset).clips
    assert report.problems == ()
