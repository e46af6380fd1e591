import errno
import json
import multiprocessing
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import SIZE, draw_frames, write_images, write_labels, write_video

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.formats.recognise import read_label_file
from keras_tracknet.errors import InputError
from keras_tracknet.frames.sizes import resize_frame
from keras_tracknet.training.batches import cache as module
from keras_tracknet.training.batches.cache import FrameCache, hash_source, prepare_clips
from keras_tracknet.video.media import Media
from keras_tracknet.video.reader import read_frames

HALF = (18, 32)


@pytest.fixture
def cache(tmp_path):
    return FrameCache(tmp_path / "cache")


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "a.mp4")


def forbid_decoding(monkeypatch):
    def read(path, **_options):
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr(module, "read_frames", read)


@pytest.mark.parametrize("size", [HALF, SIZE, (72, 100)])
def test_cached_frames_are_the_resized_frames(cache, video, size):
    cached = cache.open(video, size)
    frames = list(read_frames(video, shrink=lambda _size: size))
    expected = np.stack([resize_frame(frame.image, size) for frame in frames])
    np.testing.assert_array_equal(cached.frames, expected)
    np.testing.assert_array_equal(cached.times, [frame.time for frame in frames])
    assert (cached.source_size, cached.fps, len(cached)) == (SIZE, 25, 6)


def test_cached_frames_cannot_be_written(cache, video):
    with pytest.raises(ValueError, match="read-only"):
        cache.open(video, HALF).frames[0] = 0


def test_background_has_no_ball(cache, tmp_path):
    cached = cache.open(write_images(tmp_path / "frames", shade=40), SIZE)
    np.testing.assert_array_equal(cached.background, np.full((*SIZE, 3), 40, np.uint8))
    assert cached.background.dtype == np.uint8


def test_image_folder_is_cached_in_natural_order(cache, tmp_path):
    cached = cache.open(write_images(tmp_path / "frames", count=12), SIZE)
    np.testing.assert_array_equal(cached.frames, np.stack(draw_frames(12)))


def test_finished_clip_is_not_decoded_again(cache, video, monkeypatch):
    first = cache.open(video, HALF)
    forbid_decoding(monkeypatch)
    np.testing.assert_array_equal(FrameCache(cache.folder).open(video, HALF).frames, first.frames)


def test_moved_clip_is_found_by_its_content(cache, video, monkeypatch):
    cache.open(video, HALF)
    forbid_decoding(monkeypatch)
    cache.open(video.rename(video.with_name("b.mp4")), HALF)


def test_changed_content_or_size_is_another_clip(cache, video):
    folders = {cache.open(video, HALF).folder, cache.open(video, SIZE).folder}
    write_video(video, shade=90)
    folders.add(cache.open(video, HALF).folder)
    assert len(folders) == 3


def test_hash_of_an_image_folder_covers_names_and_contents(tmp_path):
    folder = write_images(tmp_path / "frames")
    hashes = [hash_source(folder)]
    (folder / "notes.txt").write_text("not an image")
    assert hash_source(folder) == hashes[0]
    (folder / "5.png").rename(folder / "6.png")
    hashes.append(hash_source(folder))
    shutil.copy(folder / "0.png", folder / "6.png")
    hashes.append(hash_source(folder))
    assert len(set(hashes)) == 3


def test_progress_counts_decoded_frames(cache, video):
    seen = []
    cache.open(video, HALF, seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_pickled_clip_is_a_reference_to_its_file(cache, video):
    cached = cache.open(video, SIZE)
    data = pickle.dumps(cached)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).frames, cached.frames)


def _die_half_way(folder, video):
    FrameCache(folder).open(video, HALF, lambda count: os._exit(9) if count == 3 else None)


def _open_together(folder, video, barrier, results):
    # Neither process gets on before both have begun to decode.
    cached = FrameCache(folder).open(video, HALF, lambda count: count == 1 and barrier.wait(60))
    results.put((str(cached.folder), cached.frames.sum().item()))


def test_killed_process_leaves_nothing_that_counts(cache, video):
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_die_half_way, args=(cache.folder, video))
    process.start()
    process.join(120)
    assert process.exitcode == 9
    (left,) = cache.folder.iterdir()

    assert len(cache.open(video, HALF)) == 6
    assert left.exists()  # its owner might still be at work

    hours_ago = time.time() - 3 * 3600
    for path in (*left.iterdir(), left):
        os.utime(path, (hours_ago, hours_ago))
    clip = cache.open(video, SIZE)
    assert not left.exists()
    assert clip.folder.exists()


def test_two_processes_at_once_share_one_clip(cache, video):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_open_together, args=(cache.folder, video, barrier, results))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    answers = {results.get(timeout=120) for _ in processes}
    for process in processes:
        process.join(120)
    assert len(answers) == 1
    assert [path.name for path in cache.folder.iterdir()] == [Path(answers.pop()[0]).name]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("stop")])
def test_interrupted_decoding_leaves_nothing(cache, video, error):
    def stop(count):
        raise error

    with pytest.raises(type(error)):
        cache.open(video, HALF, stop)
    assert list(cache.folder.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", ["frames.raw", "clip.json", "times.npy", "background.npy"])
def test_damaged_clip_is_decoded_anew(cache, video, name, share):
    folder = cache.open(video, HALF).folder
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    assert len(cache.open(video, HALF)) == 6
    assert (folder / name).read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clip.json", "null"),
        ("clip.json", "[]"),
        ("clip.json", json.dumps({"shape": [6, *HALF, 3], "source_size": 5, "fps": "25"})),
        ("clip.json", json.dumps({"shape": [6, *HALF, 3], "source_size": [36, 64], "fps": "1/0"})),
        ("times.npy", np.zeros(5)),
        ("background.npy", np.zeros((4, 4, 3), np.uint8)),
        ("background.npy", np.array([{}])),
    ],
)
def test_clip_of_another_shape_is_decoded_anew(cache, video, name, content):
    folder = cache.open(video, HALF).folder
    before = (folder / name).read_bytes()
    if isinstance(content, str):
        (folder / name).write_text(content)
    else:
        np.save(folder / name, content)
    assert len(cache.open(video, HALF)) == 6
    assert (folder / name).read_bytes() == before


def test_full_disk_names_the_way_out(cache, video, monkeypatch):
    def fill(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "estimate_background", fill)
    with pytest.raises(InputError, match=r"No space left.* set TRACKNET"):
        cache.open(video, HALF)
    assert list(cache.folder.iterdir()) == []


def test_place_that_cannot_be_a_folder_is_an_input_error(tmp_path, video):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="set TRACKNET_CACHE to another folder"):
            FrameCache(folder).open(video, HALF)


@pytest.mark.parametrize("name", ["missing.mp4", "broken.mp4", "empty"])
def test_unusable_source_is_an_input_error(cache, tmp_path, name):
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        cache.open(tmp_path / name, HALF)
    assert not cache.folder.exists() or list(cache.folder.iterdir()) == []


def test_prepare_clips_keeps_the_order_and_reports_every_clip(cache, tmp_path):
    labels = write_labels(tmp_path / "labels.csv")
    table = read_label_file(labels, Media(tmp_path / "long.mp4"))
    clips = [
        Clip(name, write_video(tmp_path / f"{name}.mp4", count, shade=count), labels, "g", table)
        for name, count in (("long", 4), ("short", 2))
    ]
    seen = []
    for expected in ([(0, "long", 4), (1, "short", 2)],) * 2:
        prepared = prepare_clips(
            clips, HALF, cache, lambda index, clip, frames: seen.append((index, clip.name, frames))
        )
        assert [len(cached) for cached in prepared] == [4, 2]
        assert [seen[-2], seen[-1]][1] == expected[1]
        assert expected[0] in seen
    assert seen[-2:] == [(0, "long", 4), (1, "short", 2)]  # from the cache: once a clip


def test_folders_with_any_names_are_cached_and_pipes_refused(tmp_path):
    folder = write_images(tmp_path / "frames", 4)
    (folder / "3.png").rename(folder / os.fsdecode(b"3\xe9.png"))
    cached = FrameCache(tmp_path / "cache").open(folder, (16, 32))
    assert len(cached) == 4
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "4.png")
        os.mkfifo(tmp_path / "clip.mp4")
        for source in (folder, tmp_path / "clip.mp4"):
            with pytest.raises(InputError, match="a pipe"):
                FrameCache(tmp_path / "cache").open(source, (16, 32))


def test_a_damaged_image_cannot_be_learnt_from(tmp_path):
    folder = write_images(tmp_path / "frames", 4)
    (folder / "2.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"2\.png: image cannot be decoded; remove or"):
        FrameCache(tmp_path / "cache").open(folder, (16, 32))
