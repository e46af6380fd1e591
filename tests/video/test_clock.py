"""Times of pictures: from their timestamps, ascending whatever the file says."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from keras_tracknet.video.clock import Clock

LOST = None


def stamp(stamps, *, format="matroska", b_frames=False, start=0):
    """Return the times, in frames, of pictures with these timestamps, and how many were mended."""
    stream = SimpleNamespace(
        time_base=Fraction(1, 25),
        start_time=start,
        codec_context=SimpleNamespace(has_b_frames=b_frames),
    )
    clock = Clock(SimpleNamespace(format=SimpleNamespace(name=format)), stream, Fraction(25))
    pictures = [SimpleNamespace(pts=pts, number=n) for n, pts in enumerate(stamps)]
    stamped = list(clock.stamp(iter(pictures)))
    assert [picture.number for _, picture in stamped] == list(range(len(stamps)))
    return [time * 25 for time, _ in stamped], clock.mended


@pytest.mark.parametrize(
    ("stamps", "times", "mended"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], 0),
        ([0, 1, 8, 9], [0, 1, 8, 9], 0),  # a pause
        ([0, 1, 90, 91], [0, 1, 90, 91], 0),  # a long pause
        ([0, 1, 2, 2, 4, 5], [0, 1, 2, 3, 4, 5], 1),  # the second of two alike
        ([0, 1, 2, 0, 4, 5], [0, 1, 2, 3, 4, 5], 1),  # one too early
        ([0, 1, 2, 9000, 4, 5], [0, 1, 2, 3, 4, 5], 1),  # one too late
        ([9000, 1, 2, 3], [0, 1, 2, 3], 1),  # at the start
        ([0, 1, LOST, 3], [0, 1, 2, 3], 0),
        ([LOST, LOST, LOST], [0, 1, 2], 0),
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 5], 1),  # two recordings, one after the other
        ([0, 1, 2, 0, 1, 0, 1], [0, 1, 2, 3, 4, 5, 6], 2),
        ([50, 51, 52, 10, 11, 12, 56, 57], [50, 51, 52, 53, 54, 55, 56, 57], 1),  # right again
        ([0, 1, 2, 3, 2], [0, 1, 2, 3, 4], 1),  # the last one
    ],
)
def test_times_ascend_and_only_wrong_ones_are_mended(stamps, times, mended):
    assert stamp(stamps, start=0) == (pytest.approx(times), mended)


def test_times_begin_where_the_stream_does():
    assert stamp([90000, 90001, 90003], start=90000)[0] == pytest.approx([0, 1, 3])


@pytest.mark.parametrize(
    ("stamps", "b_frames", "times"),
    [
        ([0, 1, 2, 7, 8], False, [0, 1, 2, 7, 8]),  # empty frames between
        ([2, 3, 4, 9, 10], True, [0, 1, 2, 7, 8]),  # as late as B-frames make the decoder
        ([1, 3, 2, 4, 9, 8, 10], True, [0, 1, 2, 3, 7, 8, 9]),  # in the order of decoding
    ],
)
def test_avi_has_the_times_of_its_packets_in_order(stamps, b_frames, times):
    assert stamp(stamps, format="avi", b_frames=b_frames) == (pytest.approx(times), 0)
