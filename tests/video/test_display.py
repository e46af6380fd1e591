"""Pictures as a player shows them: shape, orientation, colours."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from keras_tracknet.video.hdr import GAMMA, HDR_CURVES, WHITE, decode_hlg, decode_pq, find_curve
from keras_tracknet.video.images import read_image
from keras_tracknet.video.reader import probe_video, read_frames

RED, SIZE = (200, 30, 30), (32, 64)
ONE = 1 << 16


def paint(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A dark picture, red in its top left quarter."""
    image = np.full((*size, 3), 30, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = RED
    return image


def write_video(path: Path, *, aspect: Fraction | None = None, matrix=None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10"}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(paint(), format="rgb24")))
        container.mux(stream.encode(None))
    if matrix is not None:
        data = bytearray(path.read_bytes())
        place = data.index(b"tkhd") + 4 + 4 + 20 + 16
        a, b, c, d = (int(value * ONE) for value in matrix)
        rows = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
        data[place : place + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in rows)
        path.write_bytes(data)
    return path


def find_red(image: np.ndarray) -> tuple[str, str]:
    """Return which quarter of a picture is red."""
    y, x = (axis.mean() for axis in np.nonzero(image[..., 0] > 120))
    height, width = image.shape[:2]
    return "top" if y < height / 2 else "bottom", "left" if x < width / 2 else "right"


@pytest.mark.parametrize(
    ("matrix", "turned", "rotation", "mirrored", "red"),
    [
        ((1, 0, 0, 1), False, 0, False, ("top", "left")),
        ((0, 1, -1, 0), True, 90, False, ("top", "right")),
        ((-1, 0, 0, -1), False, 180, False, ("bottom", "right")),
        ((0, -1, 1, 0), True, 270, False, ("bottom", "left")),
        ((-1, 0, 0, 1), False, 0, True, ("top", "right")),
        ((1, 0, 0, -1), False, 180, True, ("bottom", "left")),
        ((0, 1, 1, 0), True, 270, True, ("top", "left")),  # about the diagonal
        ((0, -1, -1, 0), True, 90, True, ("bottom", "right")),
    ],
)
def test_pictures_are_shown_upright(tmp_path, matrix, turned, rotation, mirrored, red):
    path = write_video(tmp_path / "clip.mp4", matrix=matrix)
    info, frames = probe_video(path), list(read_frames(path))
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert (info.height, info.width) == (SIZE[::-1] if turned else SIZE)
    assert {frame.image.shape for frame in frames} == {(info.height, info.width, 3)}
    assert {find_red(frame.image) for frame in frames} == {red}


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(4, 3), (32, 85)),  # anamorphic: wider
        (Fraction(8, 9), (36, 64)),  # NTSC DV: higher, so that nothing is shrunk
        (Fraction(1281, 1280), SIZE),  # left by an encoder that rounded the size
        (Fraction(1, 1000), SIZE),  # damaged
    ],
)
def test_pixels_are_made_square(tmp_path, aspect, size):
    path = write_video(tmp_path / "clip.mkv", aspect=aspect)
    info, frames = probe_video(path), list(read_frames(path))
    assert (info.height, info.width) == size
    assert info.aspect == (1 if size == SIZE else aspect)
    for frame in frames:
        assert frame.image.shape == (*size, 3)
        red = frame.image[..., 0] > 120
        assert np.abs(red.any(axis=0).sum() - size[1] / 2) <= 1
        assert np.abs(red.any(axis=1).sum() - size[0] / 2) <= 1


def test_stretching_follows_turning(tmp_path):
    path = write_video(tmp_path / "clip.mp4", aspect=Fraction(2), matrix=(0, 1, -1, 0))
    info = probe_video(path)
    assert (info.height, info.width) == (128, 32)
    assert find_red(next(read_frames(path)).image) == ("top", "right")


def write_exif(path: Path, orientation: int) -> Path:
    jpeg = cv2.imencode(".jpg", paint()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    tiff = (
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"
        + orientation.to_bytes(2, "big")
        + b"\0" * 6
    )
    block = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    return path


@pytest.mark.parametrize(
    ("orientation", "turned", "red"),
    [
        (1, False, ("top", "left")),
        (2, False, ("top", "right")),
        (3, False, ("bottom", "right")),
        (4, False, ("bottom", "left")),
        (5, True, ("top", "left")),
        (6, True, ("top", "right")),
        (7, True, ("bottom", "right")),
        (8, True, ("bottom", "left")),
    ],
)
def test_images_are_turned_as_their_exif_says(tmp_path, orientation, turned, red):
    write_exif(tmp_path / "0.jpg", orientation)
    image = read_image(tmp_path / "0.jpg")
    assert image.shape[:2] == (SIZE[::-1] if turned else SIZE)
    assert find_red(image) == red
    info = probe_video(tmp_path)
    assert (info.height, info.width) == image.shape[:2]


@pytest.mark.parametrize(
    ("decode", "level", "luminance"),
    [
        (decode_hlg, 0.0, 0),
        (decode_hlg, 0.75, 203),  # reference white of ITU-R BT.2408
        (decode_hlg, 1.0, 1000),
        (decode_pq, 0.0, 0),
        (decode_pq, 0.5081, 100),
        (decode_pq, 0.5807, 203),
        (decode_pq, 0.7518, 1000),
        (decode_pq, 1.0, 10000),
    ],
)
def test_hdr_levels_mean_the_published_luminance(decode, level, luminance):
    assert decode(np.array([level]))[0] == pytest.approx(luminance, rel=5e-3, abs=1e-6)


def encode_level(decode, luminance: float) -> int:
    """The 8-bit level of an HDR curve next to a luminance."""
    return int(np.abs(decode(np.arange(256) / 255) - luminance).argmin())


@pytest.mark.parametrize(("transfer", "decode"), [(18, decode_hlg), (16, decode_pq)])
def test_hdr_greys_become_the_sdr_levels_of_their_luminance(transfer, decode):
    convert = find_curve(transfer)
    for level in (20, 60, 120, 180):
        luminance = (level / 255) ** GAMMA * WHITE
        grey = np.full((40, 8, 3), encode_level(decode, luminance), np.uint8)
        assert np.abs(convert(grey).astype(int) - level).max() <= 4
    assert convert(np.full((4, 4, 3), 255, np.uint8)).min() >= 250  # highlights keep below white
    ramp = convert(np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3))
    assert (np.diff(ramp.astype(int), axis=1) >= 0).all()


def test_hdr_red_gets_the_primaries_of_sdr():
    image = np.full((4, 4, 3), (150, 60, 60), np.uint8)
    shown = find_curve(18)(image)[0, 0].astype(int)
    assert shown[0] - shown[1] > 110  # more saturated than its numbers in the wider primaries
    assert find_curve(1) is None


def write_hdr(path: Path, transfer: int) -> Path:
    """Encode grey of HDR's white, in 10 bits, with what says so."""
    decode = decode_hlg if HDR_CURVES.get(transfer) == "HLG" else decode_pq
    level = encode_level(decode, WHITE * 0.3)
    luma = round((16 + 219 * level / 255) * 4)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        context.color_range = 1
        picture = av.VideoFrame(SIZE[1], SIZE[0], "yuv420p10le")
        for plane, value in zip(picture.planes, (luma, 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        for pts in range(2):
            picture.pts = pts
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("transfer", "name"), [(18, "HLG"), (16, "PQ"), (1, "")])
def test_hdr_video_is_read_as_sdr(tmp_path, transfer, name):
    path = write_hdr(tmp_path / "clip.mkv", transfer)
    assert probe_video(path).hdr == name
    grey = [frame.image.astype(int) for frame in read_frames(path)]
    assert len(grey) == 2
    if name:
        expected = 255 * 0.3 ** (1 / GAMMA)
        assert np.abs(grey[0] - expected).max() <= 4


def paint_scene(size: tuple[int, int]) -> np.ndarray:
    """Coloured patches with smooth and sharp edges."""
    rng = np.random.default_rng(0)
    patches = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), size[::-1])
    return cv2.circle(patches, (size[1] // 3, size[0] // 2), size[0] // 6, (250, 250, 40), -1)


def write_scene(path: Path, codec: str, pixels: str, size: tuple[int, int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        (stream.height, stream.width), stream.pix_fmt = size, pixels
        for _ in range(2):
            picture = av.VideoFrame.from_ndarray(paint_scene(size), format="rgb24")
            container.mux(stream.encode(picture.reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("ffv1", "yuv420p"),
        ("ffv1", "yuv422p10le"),
        ("ffv1", "yuv444p"),
        ("ffv1", "gray"),
        ("mjpeg", "yuvj420p"),  # levels of 0 to 255
    ],
)
def test_decoder_shrinks_pictures_as_their_average(tmp_path, codec, pixels):
    path = write_scene(tmp_path / "clip.mkv", codec, pixels, (180, 320))
    small = list(read_frames(path, shrink=lambda _size: (72, 128)))
    for whole, frame in zip(read_frames(path), small, strict=True):
        assert frame.image.shape == (72, 128, 3)
        assert frame.size == whole.size == (180, 320)
        expected = cv2.resize(whole.image, (128, 72), interpolation=cv2.INTER_AREA).astype(int)
        difference = np.abs(frame.image - expected)
        assert difference.mean() < 2
        assert difference.max() < 30


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (0, 1, 1, 0), (-1, 0, 0, 1)])
@pytest.mark.parametrize("aspect", [None, Fraction(4, 3)])
def test_small_pictures_are_upright_and_square_too(tmp_path, matrix, aspect):
    path = write_video(tmp_path / "clip.mp4", matrix=matrix, aspect=aspect)
    whole = next(read_frames(path))
    asked = []

    def shrink(size):
        asked.append(size)
        return size[0] // 2, size[1] // 2

    small = next(read_frames(path, shrink=shrink))
    assert set(asked) == {small.size} == {whole.size}
    assert small.image.shape == (whole.size[0] // 2, whole.size[1] // 2, 3)
    assert find_red(small.image) == find_red(whole.image)


def test_pictures_are_never_enlarged_and_hdr_and_rgb_stay_whole(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    for size in ((64, 128), (16, 64), (64, 32)):
        image = next(read_frames(path, shrink=lambda _size, size=size: size)).image
        np.testing.assert_array_equal(image, next(read_frames(path)).image)
    others = (
        write_hdr(tmp_path / "hdr.mkv", 18),
        write_scene(tmp_path / "rgb.mkv", "ffv1", "bgr0", SIZE),
    )
    for path in others:
        assert next(read_frames(path, shrink=lambda _size: (8, 8))).image.shape == (*SIZE, 3)


def write_slow_motion(path: Path, rate: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.android.capture.fps"] = rate
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(paint(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("rate", "captured", "remark"),
    [
        ("240.000000", 240, "recorded at 240 frames per second, played at 30; .* 8 times as fast"),
        ("30.000000", 30, None),  # as fast as it plays
        ("nonsense", None, None),
        ("nan", None, None),
        ("1e30", None, None),
    ],
)
def test_slow_motion_is_read_and_said(tmp_path, rate, captured, remark):
    info = probe_video(write_slow_motion(tmp_path / "clip.mp4", rate))
    assert info.capture_fps == captured
    remarks = list(info.remarks())
    assert len(remarks) == (remark is not None)
    assert all(re.search(remark, line) for line in remarks)


def test_what_is_shown_otherwise_than_stored_is_said(tmp_path):
    wide = probe_video(write_video(tmp_path / "wide.mkv", aspect=Fraction(4, 3)))
    assert list(wide.remarks()) == [
        "pixel aspect ratio 4:3: positions are in pixels of the displayed picture, 85 x 32."
    ]
    hdr = probe_video(write_hdr(tmp_path / "hdr.mkv", 18))
    assert list(hdr.remarks()) == ["HDR video (HLG): frames are converted to SDR (BT.709)."]
    assert not list(probe_video(write_video(tmp_path / "plain.mp4")).remarks())
