import struct

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.video.animation import write_animation


def read_webp(path):
    """Size, number of repeats and milliseconds of each frame, as the file says."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WEBP"
    place, size, repeats, durations = 12, None, None, []
    while place + 8 <= len(data):
        name, length = data[place : place + 4], struct.unpack("<I", data[place + 4 : place + 8])[0]
        body = data[place + 8 : place + 8 + length]
        if name == b"VP8X":
            size = tuple(1 + int.from_bytes(body[k : k + 3], "little") for k in (7, 4))
        elif name == b"ANIM":
            repeats = struct.unpack("<H", body[4:6])[0]
        elif name == b"ANMF":
            durations.append(int.from_bytes(body[12:15], "little"))
        place += 8 + length + length % 2
    return size, repeats, durations


def paint(number):
    picture = np.full((180, 1000, 3), 40, np.uint8)
    picture[20:120, 30 * number : 30 * number + 60] = (250, 200, 0)
    return picture


@pytest.mark.parametrize(
    ("rate", "frames", "kept"),
    [
        (10, 20, 20),  # slow enough: all of them
        (25, 20, 10),  # every other
        (29.97, 20, 10),
        (50, 20, 5),
    ],
)
def test_an_animation_plays_as_fast_as_the_video(tmp_path, rate, frames, kept):
    path = tmp_path / "rally.webp"
    with write_animation(path, (180, 1000), rate) as animation:
        for number in range(frames):
            animation.write(paint(number), number / rate)
    size, repeats, durations = read_webp(path)
    assert size == (86, 480)
    assert repeats == 0  # for ever
    assert len(durations) == kept
    assert sum(durations[:-1]) == pytest.approx(1000 * (kept - 1) * (frames / kept) / rate, abs=2)


def test_what_is_interrupted_leaves_no_file(tmp_path):
    def stop():
        with write_animation(tmp_path / "rally.webp", (180, 1000), 25) as animation:
            animation.write(paint(0), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"rally\.webp"),
        write_animation(tmp_path / "file" / "rally.webp", (36, 64), 25) as animation,
    ):
        animation.write(np.zeros((36, 64, 3), np.uint8), 0.0)
