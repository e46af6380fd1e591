from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from helpers_clips import write_images
from helpers_rallies import SIZE, analyze_truly, simulate

from keras_tracknet.analysis.film.drawing import PlayDrawing, describe
from keras_tracknet.analysis.film.parts import Part, Title, choose_parts, merge_parts
from keras_tracknet.analysis.film.writing import (
    find_section,
    write_film,
    write_highlights,
    write_play,
)
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.analysis.shots import list_shots
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import SPORTS
from keras_tracknet.tracks.files import write_track
from keras_tracknet.video.reader import read_frames
from keras_tracknet.video.writer import VideoWriter

TENNIS = SPORTS["tennis"]
SMALL = (180, 320)


@pytest.fixture(scope="module")
def analysis():
    return analyze_truly(1)


@pytest.fixture(scope="module")
def small(analysis):
    """The same in a picture that is soon encoded."""
    return replace(analysis, size=SMALL, court=None, contacts=())


@pytest.fixture(scope="module")
def video(analysis, tmp_path_factory):
    """A grey video of the length of the track, with a tone."""
    path = tmp_path_factory.mktemp("film") / "match.mp4"
    times = analysis.velocity.time
    rate = round(1 / float(np.median(np.diff(times))))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *SMALL, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        sound = container.add_stream("aac", rate=44100, layout="mono")
        grey = av.VideoFrame.from_ndarray(np.full((*SMALL, 3), 90, np.uint8), format="rgb24")
        for number in range(len(times)):
            grey.pts = number
            container.mux(stream.encode(grey))
        tone = np.sin(np.arange(1024) / 20, dtype=np.float32)[None]
        for block in range(int(len(times) / rate * 44100) // 1024):
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, block * 1024
            container.mux(sound.encode(frame))
        for each in (stream, sound):
            container.mux(each.encode(None))
    return path


class Counter(Reporter):
    """Counts what is reported."""

    def __init__(self):
        self.done, self.warnings = 0, []

    def warn(self, message):
        self.warnings.append(message)

    def track(self, description, total=None, *, unit="items"):
        from contextlib import contextmanager

        @contextmanager
        def counting():
            yield lambda n=1, **_: setattr(self, "done", self.done + n)

        return counting()


def probe(path):
    with av.open(str(path)) as container:
        kinds = [stream.type for stream in container.streams]
        return kinds, container.duration / 1e6, container.streams.video[0].frames


def test_the_longest_rally_and_the_fastest_shots_are_chosen(analysis):
    parts = choose_parts(analysis, rallies=1, shots=2)
    longest = max(analysis.rallies, key=lambda rally: rally.strokes)
    speeds = sorted((s.flight.speed_kmh for s in analysis.strokes), reverse=True)
    texts = [title.text for part in parts for title in part.titles]
    seconds = longest.end - longest.start
    assert f"Longest rally: {longest.strokes} shots, {seconds:.1f} s" in texts
    fastest = next(text for text in texts if text.startswith("Fastest shot: "))
    assert fastest.endswith(f", {speeds[0]:.0f} km/h")
    second = next(text for text in texts if text.startswith("2nd fastest shot: "))
    assert second.endswith(f", {speeds[1]:.0f} km/h")
    assert len(texts) == 3


def test_an_uncertain_speed_is_not_shown_off(analysis):
    first, *others = sorted(analysis.strokes, key=lambda s: -s.flight.speed_kmh)
    loose = replace(first.flight, speed_error=0.5 * first.flight.speed_kmh)
    strokes = [replace(s, flight=loose) if s is first else s for s in analysis.strokes]
    texts = [
        title.text
        for part in choose_parts(replace(analysis, strokes=tuple(strokes)))
        for title in part.titles
    ]
    assert any(text.endswith(f", {others[0].flight.speed_kmh:.0f} km/h") for text in texts)
    assert not any(f" {first.flight.speed_kmh:.0f} km/h" in text for text in texts)


def test_without_a_court_the_fastest_in_the_picture_counts(analysis):
    bare = tuple(replace(s, flight=None, kind="") for s in analysis.strokes)
    (text,) = (
        title.text
        for part in choose_parts(replace(analysis, strokes=bare), rallies=0, shots=1)
        for title in part.titles
    )
    assert text == f"Fastest shot in the picture: {max(s.peak for s in bare):,.0f} pixels/s"


def test_parts_that_overlap_are_one():
    a, b, c = (Part(t, t + 2, (Title(t, f"at {t}"),)) for t in (5.0, 6.5, 9.0))
    assert merge_parts([c, b, a]) == [Part(5.0, 8.5, (*a.titles, *b.titles)), c]


def test_a_section_has_the_frames_of_its_part():
    times, shown = np.arange(100) / 100, np.arange(100) / 25  # played at a quarter of the speed
    section = find_section(Part(0.2, 0.4), times, shown)
    assert (section.first, section.last) == (20, 40)
    assert (section.start, section.end) == pytest.approx((0.8, 1.6))
    assert find_section(Part(5.0, 6.0), times, shown) is None


def test_highlights_are_a_film_with_sound_and_an_animation(small, video, tmp_path):
    reporter = Counter()
    times = small.velocity.time
    film, animation = write_highlights(small, video, times, tmp_path, reporter)
    step = float(np.median(np.diff(times)))
    inside = np.zeros(len(times), bool)
    for part in choose_parts(small):
        inside |= (times >= part.start) & (times < part.end)
    kinds, seconds, frames = probe(film)
    assert kinds == ["video", "audio"]
    assert frames == inside.sum() == reporter.done
    assert seconds == pytest.approx(inside.sum() * step, abs=0.1)
    assert animation.read_bytes()[8:12] == b"WEBP"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["highlights.mp4", "rally.webp"]


def test_sections_follow_each_other_without_a_gap(small, video, tmp_path):
    times = small.velocity.time
    parts = [Part(0.5, 1.0), Part(3.0, 3.6)]
    sections = [find_section(part, times, times) for part in parts]
    seen = []
    write_film(small, video, tmp_path / "film.mp4", sections, lambda frame, *_: seen.append(frame))
    wanted = [k for s in sections for k in range(s.first, s.last)]
    assert seen == wanted
    written = [frame.time for frame in read_frames(tmp_path / "film.mp4")]
    step = float(np.median(np.diff(times)))
    np.testing.assert_allclose(written, np.arange(len(wanted)) * step, atol=2e-3)


def test_the_whole_video_keeps_its_frames_and_sound(small, video, tmp_path):
    path = tmp_path / "overlay.mp4"
    write_play(small, video, small.velocity.time, path, Reporter())
    assert probe(path)[0] == ["video", "audio"]
    assert probe(path)[2] == len(small.track)


def test_what_is_interrupted_leaves_no_file(small, video, tmp_path):
    class Stopper(Counter):
        def track(self, *arguments, **settings):
            from contextlib import contextmanager

            @contextmanager
            def stopping():
                def stop(n=1, **_):
                    self.done += n
                    if self.done == 20:
                        raise KeyboardInterrupt

                yield stop

            return stopping()

    with pytest.raises(KeyboardInterrupt):
        write_highlights(small, video, small.velocity.time, tmp_path, Stopper())
    assert list(tmp_path.iterdir()) == []


def test_without_a_rally_there_are_no_highlights(small, video, tmp_path):
    found = replace(small.found, rallies=(), events=())
    empty = replace(small, found=found, strokes=(), contacts=())
    reporter = Counter()
    assert write_highlights(empty, video, small.velocity.time, tmp_path, reporter) == []
    assert reporter.warnings == ["no rally was found, so there are no highlights."]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "what"), [("highlights", "highlights"), ("overlay", "overlays"), ("clips", "clips")]
)
def test_films_without_a_video_are_told_in_a_line(tmp_path, asked, what):
    write_track(simulate("tennis", 1).track, tmp_path / "track.csv")
    with pytest.raises(InputError, match=rf"track\.csv: {what} are made from the video; give the"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", TENNIS, **{asked: True})
    assert not (tmp_path / "out").exists()


def draw(analysis, time, titles=()):
    picture = np.full((*SIZE, 3), 90, np.uint8)
    frame = int(np.abs(analysis.velocity.time - time).argmin())
    PlayDrawing(analysis).draw(picture, frame, titles)
    return picture


def changed(picture):
    return (picture != 90).any(axis=-1)


def test_a_shot_is_told_at_the_top_right_and_a_title_in_the_middle(analysis):
    shot = next(iter(list_shots(analysis).values()))[0]
    plain = changed(draw(analysis, shot.time + 0.2))
    titled = changed(draw(analysis, shot.time + 0.2, ["Longest rally: 7 shots"]))
    assert plain[10:100, -200:].mean() > 0.9
    assert not plain[10:40, 560:720].any()
    assert titled[20:40, 560:720].mean() > 0.9
    speed = shot.stroke.flight
    assert describe(shot) == [
        f"{shot.stroke.kind}, {shot.stroke.player} player",
        f"{speed.speed_kmh:.0f} km/h (+/- {speed.speed_error:.0f})",
    ]


def test_before_the_first_shot_no_shot_is_told(analysis):
    start = analysis.strokes[0].event.time
    assert PlayDrawing(analysis).find_shot(start - 0.1) is None
    assert PlayDrawing(analysis).find_shot(start + 0.1).number == 1


def test_the_ball_moves_on_the_small_court_as_it_does_on_the_real_one(analysis):
    shots = [s for own in list_shots(analysis).values() for s in own]
    shot = next(s for s in shots if s.stroke.player == "far" and s.until - s.time > 0.4)
    early, late = (
        draw(analysis, shot.time + share * (shot.until - shot.time))[-300:, -200:]
        for share in (0.1, 0.9)
    )
    rows = []
    for picture in (early, late):
        white = (picture > 200).all(axis=-1).astype(np.uint8)
        # What is wide in both directions is the ball, not a line.
        ball = cv2.erode(white, np.ones((5, 5), np.uint8))
        rows.append(np.nonzero(ball)[0].mean())
    assert rows[1] > rows[0] + 20  # from the far end, at the top, to the near one


def test_without_a_court_there_is_no_small_one(analysis):
    bare = replace(analysis, court=None, contacts=())
    picture = draw(bare, analysis.strokes[0].event.time - 0.1)
    assert not changed(picture)[-250:, -200:].any()


def test_a_small_picture_and_images_are_fine(analysis, tmp_path):
    folder = write_images(tmp_path / "images", 3)
    sized = replace(analysis, size=(36, 64), court=None)
    times = np.arange(len(analysis.track)) / 30
    write_film(
        sized,
        folder,
        tmp_path / "film.mp4",
        [find_section(Part(0, 0.1), times, times)],
        lambda *_: None,
    )
    assert probe(tmp_path / "film.mp4")[0] == ["video"]


def test_a_film_does_not_replace_its_source(analysis, tmp_path):
    source = tmp_path / "match.mp4"
    with VideoWriter(source, size=SMALL, fps=25) as writer:
        writer.write(np.zeros((*SMALL, 3), np.uint8))
    with pytest.raises(InputError, match="is the source video itself"):
        write_play(analysis, source, analysis.velocity.time, source, Reporter())
