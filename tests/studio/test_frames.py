import io
import random

import av
import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.studio.frames import Pictures, find_frames
from keras_tracknet.studio.jpegs import AbandonedError, FrameServer, JpegCache, encode_jpeg
from keras_tracknet.video.reader import read_frames


def write_film(path, frames=40, *, codec="libx264", gop=12, b_frames=2, size=(48, 96)):
    """Every frame another shade and pattern, so that no two look alike."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        for number in range(frames):
            image = np.full((*size, 3), 5 * number, np.uint8)
            image[: size[0] // 2] = rng.integers(0, 255, (size[0] // 2, 1, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(params=["mp4-b-frames", "mkv", "avi", "one-key-frame"])
def film(request, tmp_path):
    if request.param == "mkv":
        return write_film(tmp_path / "film.mkv")
    if request.param == "avi":
        return write_film(tmp_path / "film.avi", codec="mpeg4", b_frames=0)
    if request.param == "one-key-frame":
        return write_film(tmp_path / "film.mp4", gop=500)
    return write_film(tmp_path / "film.mp4")


def test_any_frame_is_the_one_that_reading_in_order_gives(film):
    expected = list(read_frames(film))
    numbers = [*random.Random(0).sample(range(40), 40), 7, 8, 9, 9, 8, 7, 39, 0]
    with Pictures(film, find_frames(film)) as pictures:
        assert len(pictures) == 40
        np.testing.assert_allclose(pictures.times(), [frame.time for frame in expected])
        for number in numbers:
            np.testing.assert_array_equal(pictures.read(number), expected[number].image)


@pytest.mark.parametrize("number", [-1, 40])
def test_a_frame_that_is_not_there_is_an_index_error(tmp_path, number):
    film = write_film(tmp_path / "film.mp4")
    with Pictures(film, find_frames(film)) as pictures, pytest.raises(IndexError):
        pictures.read(number)


def test_the_index_is_kept_until_the_file_changes(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mp4")
    first = find_frames(film, tmp_path / "frames.npz")
    monkeypatch.setattr("keras_tracknet.studio.frames._index_packets", pytest.fail)
    again = find_frames(film, tmp_path / "frames.npz")
    np.testing.assert_array_equal(again.pts, first.pts)
    monkeypatch.undo()
    write_film(tmp_path / "film.mp4", frames=50)
    assert len(find_frames(film, tmp_path / "frames.npz").pts) == 50


def test_packets_are_not_believed_where_decoding_knows_better(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mp4")
    index = find_frames(film)
    wrong = index._replace(pts=index.pts[:-1])
    monkeypatch.setattr("keras_tracknet.studio.frames._index_packets", lambda _path: wrong)
    np.testing.assert_array_equal(find_frames(film, frames=40).pts, index.pts)


def test_frames_on_the_way_are_handed_out_as_well(tmp_path):
    film = write_film(tmp_path / "film.mp4", gop=500)
    with Pictures(film, find_frames(film)) as pictures:
        numbers = [number for number, _ in pictures.find(30, behind=5)]
    assert numbers == [25, 26, 27, 28, 29, 30]


def test_a_file_without_pictures_is_an_input_error(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match="cannot be opened"):
        find_frames(tmp_path / "film.mp4")


def decode(data):
    with av.open(io.BytesIO(data), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_jpeg_shrinks_to_a_width_and_never_grows():
    image = np.zeros((48, 96, 3), np.uint8)
    assert decode(encode_jpeg(image, 40)).shape == (20, 40, 3)
    assert decode(encode_jpeg(image, 500)).shape == (48, 96, 3)


def test_the_cache_forgets_what_was_asked_for_the_longest_ago():
    cache = JpegCache(limit=100)
    for name in "ab":
        cache.put(name, bytes(40))
    assert cache.get("a") is not None
    cache.put("c", bytes(40))
    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]
    assert cache.bytes == 80


@pytest.fixture
def server(tmp_path):
    film = write_film(tmp_path / "film.mp4", gop=500)
    server = FrameServer(Pictures(film, find_frames(film)), JpegCache())
    yield server
    server.close()


def list_ready(server, width=None):
    server._worker.submit(lambda: None).result()
    return [n for n in range(40) if server.cache.get((server, n, width)) is not None]


def test_frames_after_the_latest_one_are_made_ready(server):
    server.jpeg(20)
    assert list_ready(server) == list(range(20, 31))


def test_frames_before_the_latest_one_are_made_ready_on_the_way_back(server):
    server.jpeg(30)
    server.jpeg(29)
    assert list_ready(server)[:11] == list(range(19, 30))


def test_frames_on_the_way_are_not_decoded_twice(server, monkeypatch):
    server.jpeg(30)
    list_ready(server)
    monkeypatch.setattr(server.pictures, "find", pytest.fail)
    image = server.pictures.show(server._decoded[21], lambda _size: (20, 40))
    assert server.jpeg(21, 40) == encode_jpeg(image)


def test_a_frame_that_nobody_waits_for_is_not_decoded(server, monkeypatch):
    monkeypatch.setattr(server.pictures, "find", pytest.fail)
    with pytest.raises(AbandonedError):
        server.jpeg(20, is_wanted=lambda: False)


def test_few_large_pictures_are_kept_decoded(server, monkeypatch):
    monkeypatch.setattr("keras_tracknet.studio.jpegs.DECODED_BYTES", 3 * 48 * 96 * 1.5)
    server.jpeg(20)
    list_ready(server)
    assert list(server._decoded) == [28, 29, 30]


def test_a_frame_that_is_read_is_whole(server, tmp_path):
    server.jpeg(20, 40)
    expected = list(read_frames(tmp_path / "film.mp4"))[18].image
    np.testing.assert_array_equal(server.read(18), expected)
