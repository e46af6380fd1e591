from fractions import Fraction

import numpy as np
import pytest

from keras_tracknet.video.runs import sample_runs
from keras_tracknet.video.writer import VideoWriter


def draw_number(number):
    """A picture of eight bars, the bits of a number."""
    bits = number >> np.arange(8) & 1
    return np.broadcast_to(np.repeat(bits * 255, 8)[None, :, None], (48, 64, 3)).astype(np.uint8)


def read_number(image):
    return int((image[24, 4::8, 1] > 127) @ (1 << np.arange(8)))


@pytest.fixture
def write_counted(tmp_path):
    def write(frames, name="count.mp4"):
        path = tmp_path / name
        with VideoWriter(path, size=(48, 64), fps=Fraction(25)) as writer:
            for k in range(frames):
                writer.write(draw_number(k), k / 25)
        return path

    return write


def test_runs_are_successive_frames_from_all_over_the_video(write_counted):
    runs = list(sample_runs(write_counted(100), 3, 4, read_number))
    assert [len(run) for run in runs] == [4, 4, 4]
    for run in runs:
        assert run == list(range(run[0], run[0] + 4))
    starts = [run[0] for run in runs]
    assert starts == sorted(starts)
    assert starts[0] < 33
    assert starts[-1] >= 60


def test_a_short_video_gives_its_middle(write_counted):
    assert list(sample_runs(write_counted(20), 3, 4, read_number)) == [list(range(4, 16))]
    assert list(sample_runs(write_counted(5, "five.mp4"), 3, 4, read_number)) == [list(range(5))]
