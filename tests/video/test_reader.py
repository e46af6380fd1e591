"""Reading, sampling and writing video."""

import doctest
import os
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.video import reader as video
from keras_tracknet.video import writer as video_writer
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import probe_video, read_frames, sample_frames
from keras_tracknet.video.writer import VideoWriter

RED = (220, 20, 20)
NTSC = Fraction(30000, 1001)


def draw_frame(index: int, size: tuple[int, int] = (36, 64)) -> np.ndarray:
    """A dark picture, red in its top left quarter, with a white dot that moves right."""
    height, width = size
    image = np.full((height, width, 3), 20, np.uint8)
    image[: height // 2, : width // 2] = RED
    x = 4 + 2 * index % (width - 8)
    image[height * 3 // 4 - 2 : height * 3 // 4 + 2, x - 2 : x + 2] = 255
    return image


def make_video(
    path: Path,
    *,
    frames: int = 24,
    size: tuple[int, int] = (36, 64),
    fps: Fraction = NTSC,
    format: str | None = None,
    options: dict[str, str] | None = None,
    gop: int = 12,
    audio: str | None = None,
) -> Path:
    """Encode `draw_frame` pictures, and a sine of the same length if `audio` names a codec."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p" if not (size[0] % 2 or size[1] % 2) else "yuv444p"
        stream.gop_size = gop
        stream.options = {"crf": "10"}
        sound = None if audio is None else container.add_stream(audio, rate=44100)
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(draw_frame(index, size), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound is not None:
            samples = int(frames / fps * 44100)
            sine = (8000 * np.sin(np.arange(samples) * 0.06)).astype(np.int16)
            block = av.AudioFrame.from_ndarray(sine[None], format="s16", layout="mono")
            block.sample_rate, block.pts = 44100, 0
            container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def read_all(path: Path) -> list[video.Frame]:
    return list(read_frames(path))


def is_red(colour: np.ndarray) -> bool:
    return bool(np.abs(colour.astype(int) - RED).max() < 25)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.mp4")


def test_every_frame_is_read_with_its_own_time(clip: Path) -> None:
    frames = read_all(clip)
    assert [frame.index for frame in frames] == list(range(24))
    expected = [float(index / NTSC) for index in range(24)]
    np.testing.assert_allclose([frame.time for frame in frames], expected, atol=1e-4)
    for frame in frames:
        assert frame.image.shape == (36, 64, 3)
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - draw_frame(frame.index)).mean() < 6


def test_red_stays_red(clip: Path) -> None:
    assert is_red(read_all(clip)[0].image[8, 16])


def test_probe_reports_the_exact_rate(clip: Path) -> None:
    info = probe_video(clip)
    assert (info.width, info.height, info.frames, info.rotation) == (64, 36, 24, 0)
    assert info.fps == NTSC
    assert info.codec == "h264"
    assert not info.has_audio
    assert info.duration == pytest.approx(24 / NTSC, abs=1e-3)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mkv", {}),  # times in milliseconds
        (".ts", {}),  # times that do not start at 0
        (".avi", {}),  # no times of its own
        (".mp4", {"movflags": "frag_keyframe+empty_moov"}),  # no number of frames
    ],
)
def test_containers_give_the_same_frames_from_time_0(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    path = make_video(tmp_path / f"clip{suffix}", options=options)
    frames = read_all(path)
    assert len(frames) == 24
    expected = [float(index / NTSC) for index in range(24)]
    np.testing.assert_allclose([frame.time for frame in frames], expected, atol=2e-3)
    assert probe_video(path).fps == pytest.approx(NTSC, rel=1e-4)


@pytest.mark.parametrize("size", [(36, 64), (35, 63), (64, 36), (48, 64)])
def test_odd_portrait_and_4_3_sizes_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_video(tmp_path / "clip.mp4", size=size)
    assert {frame.image.shape for frame in read_frames(path)} == {(*size, 3)}
    assert (probe_video(path).height, probe_video(path).width) == size


def turn_video(path: Path, clockwise: int) -> None:
    """Write a display rotation into the matrix of the track header, as a phone does."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 4 + 20 + 16
    one = 1 << 16
    a, b = {0: (one, 0), 90: (0, one), 180: (-one, 0), 270: (0, -one)}[clockwise]
    rows = (a, b, 0, -b, a, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in rows)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("clockwise", "size", "red_at"),
    [
        (0, (36, 64), (8, 16)),
        (90, (64, 36), (16, 26)),  # the red top left corner goes to the top right
        (180, (36, 64), (26, 48)),
        (270, (64, 36), (48, 8)),
    ],
)
def test_display_rotation_is_applied(
    clip: Path, clockwise: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    turn_video(clip, clockwise)
    info = probe_video(clip)
    assert (info.rotation, info.height, info.width) == (clockwise, *size)
    frames = read_all(clip)
    assert len(frames) == 24
    for frame in frames:
        assert frame.image.shape == (*size, 3)
        assert frame.image.flags.c_contiguous
        assert is_red(frame.image[red_at])


def test_a_truncated_file_yields_its_frames_then_warns(tmp_path: Path, capfd) -> None:
    path = make_video(tmp_path / "cut.mp4", frames=60, options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: (data.index(b"mdat") + len(data)) // 2])
    frames: list[video.Frame] = []
    with pytest.warns(UserWarning, match=r"cut\.mp4: .*; \d+ frames were decoded") as caught:
        frames.extend(read_frames(path))
    assert 0 < len(frames) < 60
    assert f"; {len(frames)} frames" in str(caught[0].message)
    assert capfd.readouterr().err == ""


def test_a_header_that_promises_more_frames_is_told(tmp_path: Path) -> None:
    path = make_video(tmp_path / "edited.mp4", frames=60)
    data = bytearray(path.read_bytes())
    shown = data.index(b"elst") + 12  # milliseconds that the edit list shows
    data[shown : shown + 4] = (1000).to_bytes(4, "big")
    path.write_bytes(data)
    frames: list[video.Frame] = []
    with pytest.warns(UserWarning, match=r"edited\.mp4: \d+ frames .* announces 60; ") as caught:
        frames.extend(read_frames(path))
    assert 0 < len(frames) < 60
    assert f": {len(frames)} frames were decoded" in str(caught[0].message)


def test_garbage_in_the_middle_loses_only_what_it_hits(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hurt.mp4", frames=60, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 200] = b"\x55" * 200
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        frames = read_all(path)
    assert 40 < len(frames) < 60
    assert frames[-1].time > 1.9


def test_a_transport_stream_cut_anywhere_is_read(tmp_path: Path) -> None:
    path = make_video(tmp_path / "cut.ts", frames=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert 0 < len(read_all(path)) < 60


def test_a_size_change_on_the_way_is_refused(tmp_path: Path) -> None:
    small = make_video(tmp_path / "small.ts")
    large = make_video(tmp_path / "large.ts", size=(72, 128))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(InputError, match=r"both\.ts: .*from 64 x 36 to 128 x 72 .*frame 24"):
        read_all(path)


def test_the_file_is_closed_when_the_caller_stops_early(clip: Path, monkeypatch) -> None:
    opened = []
    plain = av.open

    class Watched:
        def __init__(self, container) -> None:
            self.container, self.closed = container, False

        def __getattr__(self, name: str):
            return getattr(self.container, name)

        def close(self) -> None:
            self.closed = True
            self.container.close()

    def watched(*args, **kwargs):
        opened.append(Watched(plain(*args, **kwargs)))
        return opened[-1]

    monkeypatch.setattr(av, "open", watched)
    frames = read_frames(clip)
    next(frames)
    assert not opened[0].closed
    frames.close()
    assert opened[0].closed


def make_images(folder: Path, names: list[str], size: tuple[int, int] = (36, 64)) -> Path:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), draw_frame(index, size)[..., ::-1])
    return folder


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "rally", [f"{index}.png" for index in range(12)])
    (folder / "notes.txt").write_text("not an image")
    frames = read_all(folder)
    assert len(frames) == 12
    for frame in frames:
        np.testing.assert_array_equal(frame.image, draw_frame(frame.index))
        assert frame.time == pytest.approx(frame.index / 30)
    info = probe_video(folder)
    assert (info.fps, info.frames, info.codec, info.has_audio) == (30, 12, "images", False)
    assert [frame.index for frame in sample_frames(folder, 3)] == [2, 6, 10]


@pytest.mark.parametrize("damaged", [{2}, {0, 1}, {3, 4}, {5}])
def test_a_damaged_image_keeps_its_place(tmp_path: Path, damaged: set[int]) -> None:
    folder = make_images(tmp_path / "rally", [f"{index}.png" for index in range(6)])
    for index in damaged:
        (folder / f"{index}.png").write_bytes(b"\x89PNG")
    damage = Damage()
    with pytest.warns(UserWarning, match=rf"rally: {len(damaged)} of 6 images cannot be read"):
        frames = list(read_frames(folder, damage))
    assert (damage.frames, damage.count) == (damaged, len(damaged))
    good = [index for index in range(6) if index not in damaged]
    for index, frame in enumerate(frames):
        assert (frame.index, frame.time) == (index, index / 30)
        shown = max((g for g in good if g <= index), default=good[0])
        np.testing.assert_array_equal(frame.image, draw_frame(shown))
    assert (probe_video(folder).frames, probe_video(folder).height) == (6, 36)
    first = min(damaged)
    with pytest.raises(
        InputError, match=rf"rally: damaged at frame {first} \(.*{first}\.png: image"
    ):
        list(read_frames(folder, Damage(strict=folder)))


def bad_missing(folder: Path) -> Path:
    return folder / "nowhere.mp4"


def bad_text(folder: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("This is not a video.\n" * 50)
    return path


def bad_empty(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def bad_audio_only(folder: Path) -> Path:
    path = folder / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=44100)
        block = av.AudioFrame.from_ndarray(
            np.zeros((1, 8820), np.int16), format="s16", layout="mono"
        )
        block.sample_rate = 44100
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path


def bad_no_frames(folder: Path) -> Path:
    path = make_video(folder / "header.mp4", options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    return path


def bad_unfinished(folder: Path) -> Path:
    path = make_video(folder / "unfinished.mp4")
    path.write_bytes(path.read_bytes()[:1000])
    return path


def bad_empty_folder(folder: Path) -> Path:
    (folder / "none").mkdir()
    return folder / "none"


def bad_mixed_sizes(folder: Path) -> Path:
    make_images(folder / "mixed", ["0.png", "1.png"])
    return make_images(folder / "mixed", ["2.png"], size=(40, 64))


def bad_all_images(folder: Path) -> Path:
    make_images(folder / "torn", ["0.png", "1.png"])
    for image in (folder / "torn").iterdir():
        image.write_bytes(b"\x89PNG")
    return folder / "torn"


def bad_huge_image(folder: Path) -> Path:
    make_images(folder / "huge", ["0.png"])
    image = folder / "huge" / "0.png"
    data = bytearray(image.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    image.write_bytes(data)
    return folder / "huge"


def bad_pipe(folder: Path) -> Path:
    make_images(folder / "piped", ["0.png"])
    os.mkfifo(folder / "piped" / "1.png")
    return folder / "piped"


def bad_image(folder: Path) -> Path:
    make_images(folder / "torn", ["0.png", "1.png"])
    (folder / "torn" / "1.png").write_bytes(b"\x89PNG")
    return folder / "torn"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (bad_missing, r"nowhere\.mp4: no such file; check the path"),
        (bad_text, r"text\.mp4: cannot be opened as a video .*; use a complete video file"),
        (bad_empty, r"empty\.mp4: cannot be opened as a video"),
        (bad_unfinished, r"unfinished\.mp4: cannot be opened as a video"),
        (bad_audio_only, r"song\.m4a: contains sound but no picture; use a video"),
        (bad_no_frames, r"header\.mp4: no frame can be decoded; convert"),
        (bad_empty_folder, r"none: folder contains no images; add \.jpg"),
        (bad_mixed_sizes, r"2\.png: image size is 64 x 40, but the others are 64 x 36;"),
        (bad_image, r"1\.png: image cannot be decoded; remove or replace it"),
        (bad_all_images, r"0\.png: image cannot be decoded; remove or replace it"),
        (bad_huge_image, r"0\.png: image is too large; make it smaller or remove it"),
        (bad_pipe, r"1\.png: is a folder, a pipe or a device, not an image; remove it"),
    ],
)
def test_a_bad_input_is_one_line_with_the_next_step(
    tmp_path: Path, capfd, make, message: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_unreadable_folder_is_one_line_with_the_next_step(tmp_path: Path, monkeypatch) -> None:
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\); check its"):
        probe_video(tmp_path)


@pytest.mark.parametrize(
    ("frames", "gop", "count"),
    [
        (24, 12, 8),  # short: in order
        (24, 12, 100),  # shorter than asked for: all of it
        (200, 5, 10),  # long with many keyframes: visits them
        (200, 200, 10),  # long with one keyframe: in order after all
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_samples_are_spread_over_the_whole_video(
    tmp_path: Path, frames: int, gop: int, count: int, suffix: str
) -> None:
    path = make_video(tmp_path / f"clip{suffix}", frames=frames, gop=gop)
    samples = list(sample_frames(path, count))
    indices = [sample.index for sample in samples]
    assert indices == sorted(set(indices))
    assert min(count, frames) * 0.8 <= len(indices) <= min(count, frames)
    assert indices[0] <= frames / count
    assert indices[-1] >= frames * (1 - 1.6 / count) - 1
    for sample in samples:
        assert np.abs(sample.image.astype(int) - draw_frame(sample.index)).mean() < 8


def test_samples_of_a_long_video_decode_little_of_it(tmp_path: Path, monkeypatch) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=200, gop=5)
    monkeypatch.setattr(video, "read_frames", None)  # would decode everything
    assert len(list(sample_frames(path, 10))) == 10


def test_asking_for_no_samples_is_an_error(clip: Path) -> None:
    with pytest.raises(ValueError, match="count=0"):
        next(sample_frames(clip, 0))


def write_clip(path: Path, size: tuple[int, int] = (36, 64), times=None, **kwargs) -> Path:
    with VideoWriter(path, size=size, **({"fps": NTSC} | kwargs)) as writer:
        for index in range(24):
            writer.write(draw_frame(index, size), None if times is None else times[index])
    return path


@pytest.mark.parametrize("fps", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(60)])
@pytest.mark.parametrize("timed", [False, True])
def test_the_writer_keeps_the_exact_rate(tmp_path: Path, fps: Fraction, timed: bool) -> None:
    times = [round(float(index / fps), 3) for index in range(24)] if timed else None
    path = write_clip(tmp_path / "new" / "out.mp4", fps=fps, times=times)
    assert probe_video(path).fps == fps
    frames = read_all(path)
    expected = [float(index / fps) for index in range(24)]
    np.testing.assert_allclose([frame.time for frame in frames], expected, atol=1e-5)
    assert is_red(frames[-1].image[8, 16])
    assert [item.name for item in path.parent.iterdir()] == ["out.mp4"]


def test_variable_times_come_back(tmp_path: Path) -> None:
    times = np.cumsum([0.0] + [0.0213, 0.0401, 0.1337] * 8)[:24].tolist()
    path = write_clip(tmp_path / "vfr.mp4", times=times, fps=Fraction(15))
    np.testing.assert_allclose([f.time for f in read_frames(path)], times, atol=1.1e-3)


def test_times_that_stand_still_or_run_back_are_moved_on(tmp_path: Path) -> None:
    times = [index / 30 for index in range(24)]
    times[5], times[9] = times[4], times[2]
    written = [frame.time for frame in read_frames(write_clip(tmp_path / "t.mp4", times=times))]
    assert len(written) == 24
    assert all(np.diff(written) > 0)


def test_the_written_file_is_what_a_browser_plays(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "odd.mp4", size=(35, 63))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.height, context.width, context.colorspace) == (36, 64, 1)
    image = read_all(path)[0].image.astype(int)
    assert np.abs(image[35, 40:] - image[34, 40:]).max() < 12


@pytest.mark.parametrize(
    ("suffix", "codec", "written"),
    [
        (".mp4", "aac", "aac"),  # copied
        (".ts", "aac", "aac"),  # copied out of its transport headers
        (".mkv", "libmp3lame", "mp3"),  # copied
        (".mkv", "pcm_s16le", "aac"),  # mp4 cannot hold it for every player
    ],
)
def test_sound_is_kept(tmp_path: Path, suffix: str, codec: str, written: str) -> None:
    source = make_video(tmp_path / f"loud{suffix}", audio=codec, frames=48)
    assert probe_video(source).has_audio
    path = tmp_path / "out.mp4"
    with VideoWriter(path, size=(36, 64), fps=NTSC, audio_from=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.image, frame.time)
    assert probe_video(path).has_audio
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.codec.canonical_name == written
        blocks = [block.to_ndarray() for block in container.decode(stream)]
    assert sum(block.shape[-1] for block in blocks) == pytest.approx(48 / NTSC * 44100, rel=0.06)
    assert max(np.abs(block).max() for block in blocks) > 0.1
    assert probe_video(path).duration == pytest.approx(48 / NTSC, abs=0.05)


def test_sound_ends_with_the_last_picture(tmp_path: Path) -> None:
    source = make_video(tmp_path / "loud.mp4", audio="aac", frames=90)
    path = write_clip(tmp_path / "out.mp4", audio_from=source)
    with av.open(str(path)) as container:
        assert container.duration / av.time_base == pytest.approx(24 / NTSC, abs=0.06)


def test_a_source_without_sound_is_fine(tmp_path: Path, clip: Path) -> None:
    assert not probe_video(write_clip(tmp_path / "out.mp4", audio_from=clip)).has_audio


def test_the_writer_leaves_nothing_behind_on_an_exception(tmp_path: Path) -> None:
    def write_and_stop() -> None:
        with VideoWriter(tmp_path / "out.mp4", size=(36, 64), fps=NTSC) as writer:
            writer.write(draw_frame(0))
            assert [item.name for item in tmp_path.iterdir()] == [".out.partial.mp4"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_survives_an_exception(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "out.mp4")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_clip(path, times=[0.0, 0.1, "not a time"])
    assert path.read_bytes() == before


def test_writing_no_frame_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"out\.mp4: no frames to write"),
        VideoWriter(tmp_path / "out.mp4", size=(36, 64), fps=NTSC),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_one_line_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out\.mp4: cannot be written .*; choose another path"):
        write_clip(tmp_path / "file" / "out.mp4")
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(InputError, match=r"taken\.mp4: cannot be written"):
        write_clip(tmp_path / "taken.mp4")
    with pytest.raises(InputError, match=r"out\.avi: videos are written as \.mp4"):
        write_clip(tmp_path / "out.avi")


def test_a_picture_of_another_size_or_type_is_refused(tmp_path: Path) -> None:
    for image in (draw_frame(0, (36, 62)), draw_frame(0).astype(np.float32)):
        with (
            pytest.raises(ValueError, match="Received: "),
            VideoWriter(tmp_path / "out.mp4", size=(36, 64), fps=NTSC) as writer,
        ):
            writer.write(image)


def test_the_docstring_example_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(video_writer).failed == 0
    assert probe_video(Path("runs/grey.mp4")).width == 64
