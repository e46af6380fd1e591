import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from helpers_clips import write_images, write_video
from helpers_rallies import SIZE, simulate

from keras_tracknet.analysis.analysis import analyze_track
from keras_tracknet.analysis.court.calibration import Mark, calibrate_court
from keras_tracknet.analysis.footage import guess_size, watch_video
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.analysis.tables import write_tables
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic import RallyConfig, write_rally
from keras_tracknet.synthetic.games import play_tennis
from keras_tracknet.tracks.event_table import BOUNCE
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.tables import REJECTED
from keras_tracknet.tracks.track import Track

TENNIS = SPORTS["tennis"]


def mark_court(rally):
    marks = []
    for name in ("near_left", "near_right", "far_left", "far_right"):
        place = TENNIS.landmarks[name]
        marks.append(Mark(name, *rally.camera.project(np.array([*place, 0.0])), *place))
    return calibrate_court(marks, SIZE, "tennis")


@pytest.fixture(scope="module")
def rally():
    return simulate("tennis", 1)


@pytest.fixture(scope="module")
def analysis(rally):
    return analyze_track(rally.track, SIZE, TENNIS, court=mark_court(rally))


@pytest.fixture(scope="module")
def play(rally):
    config = rally.config
    rng = np.random.default_rng([config.seed, 1])
    return play_tennis(rng, config.frames, float(config.fps), config.strokes)


def read_table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_bounces_are_in_metres_where_they_were(analysis, play):
    assert len(analysis.contacts) >= 4
    for contact in analysis.contacts:
        real = min(play.contacts, key=lambda c: abs(c.time - contact.event.time))
        assert contact.event.kind == BOUNCE
        # The ball's middle is a radius above the floor, which looks a little further away.
        assert np.linalg.norm(contact.place - real.point[:2]) < 0.45
        assert contact.inside


def test_the_floor_projection_is_the_speed_of_what_is_on_the_floor(rally):
    court = mark_court(rally)
    time = np.arange(20) / 25
    pixels = court.to_picture(np.stack([0 * time, -5 + 4 * time], axis=1))
    track = Track.from_positions(*pixels.T, np.ones(20), time=time)
    found = analyze_track(track, SIZE, TENNIS, court=court)
    np.testing.assert_allclose(found.floor_speed(), 4 * 3.6, rtol=0.03)
    assert np.isnan(replace(found, court=None).floor_speed()).all()


def test_above_the_horizon_there_is_no_floor(rally):
    track = Track.from_positions(600 + np.arange(9.0), np.full(9, -900.0), np.ones(9))
    found = analyze_track(track, SIZE, TENNIS, court=mark_court(rally), fps=25)
    assert np.isnan(found.floor_speed()).all()


def test_a_false_detection_within_a_flight_has_no_velocity():
    t = np.arange(30)
    track = Track.from_positions(300 + 8 * t, 500 - 16 * t + 0.4 * t**2, np.ones(30), time=t / 30)
    track.x[14] += 200
    velocity = analyze_track(track, SIZE, TENNIS).velocity
    assert np.isnan(velocity.x[14])
    np.testing.assert_allclose(np.delete(velocity.x, 14), 240, rtol=0.02)


def test_strays_are_rejected_before_events_are_found():
    t = np.arange(40)
    track = Track.from_positions(300 + 8 * t, 500 - 16 * t + 0.4 * t**2, np.ones(40), time=t / 30)
    track.x[20:23], track.y[20:23] = 1150.0, 640.0
    found = analyze_track(track, SIZE, TENNIS)
    assert np.flatnonzero(found.track.status == REJECTED).tolist() == [20, 21, 22]
    assert [event.frame for event in found.found.events] == [0]


def test_a_few_detections_in_a_close_up_are_rejected():
    t = np.arange(60)
    seen = (t < 40) | ((t >= 50) & (t < 53))
    x, y = 300 + 8.0 * t, 500 - 16 * t + 0.4 * t**2  # that of frame 50 would go on
    track = Track.from_positions(x, y, seen, time=t / 30)
    assert analyze_track(track, SIZE, TENNIS).track.visibility[50:53].all()
    found = analyze_track(track, SIZE, TENNIS, cuts=[45.5 / 30]).track
    assert np.flatnonzero(found.status == REJECTED).tolist() == [50, 51, 52]


def test_a_clock_that_jumps_ahead_by_years_costs_nothing():
    t = np.arange(40)
    track = Track.from_positions(300 + 8 * t, 500 - 16 * t + 0.4 * t**2, np.ones(40), time=t / 30)
    track.time[20:] += 1e9
    velocity = analyze_track(track, SIZE, TENNIS).velocity
    np.testing.assert_allclose(velocity.x[[5, 14, 25, 35]], 240, rtol=0.05)


def test_a_court_of_another_picture_is_told_in_a_line(rally):
    with pytest.raises(InputError, match="1280x720 pixels, but the video has 640x360"):
        analyze_track(rally.track, (360, 640), TENNIS, court=mark_court(rally))


def test_a_court_of_another_sport_is_told_in_a_line(rally):
    with pytest.raises(InputError, match="a tennis court, but the sport is badminton; use `sport="):
        analyze_track(rally.track, SIZE, SPORTS["badminton"], court=mark_court(rally))


def test_without_a_video_the_picture_is_that_of_the_court(rally, tmp_path):
    track = Track.from_positions(
        [600, 608, 616.0], [400.0, 400, 400], [1, 1, 1], time=[0, 0.04, 0.08]
    )
    write_track(track, tmp_path / "track.csv")
    run_analysis(tmp_path / "track.csv", tmp_path / "out", TENNIS, court=mark_court(rally))
    assert 'viewBox="0 0 1280 720"' in (tmp_path / "out" / "report.html").read_text()


def test_tables_say_what_was_found(analysis, tmp_path):
    write_tables(analysis, tmp_path)
    events, rallies, speed = (
        read_table(tmp_path / f"{name}.csv") for name in ("events", "rallies", "speed")
    )
    assert [row["Kind"] for row in events] == [event.kind for event in analysis.found.events]
    bounce = next(row for row in events if row["Kind"] == BOUNCE)
    assert float(bounce["CourtX"]) == pytest.approx(analysis.contacts[0].place[0], abs=0.01)
    assert bounce["In"] == "1"
    assert [row["Strokes"] for row in rallies] == [str(r.strokes) for r in analysis.rallies]
    assert len(speed) == len(analysis.track)
    assert not any(name.lower() == "kmh" for row in (events[0], speed[0]) for name in row)


def test_a_track_is_analysed_with_its_video_and_cut_into_clips(tmp_path):
    video = write_rally(RallyConfig(frames=80, size=(180, 320), seed=1), tmp_path)
    track = video.with_suffix(".csv")
    (tmp_path / "summary.json").write_text(json.dumps({"source": str(video)}))
    summary = run_analysis(track, tmp_path / "out", SPORTS["badminton"], clips=True)
    assert summary["video"] == str(video.resolve())
    assert summary["rallies"] == len(summary["clips"]) >= 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg") == 2  # the scene and the heat map
    assert '<video id="video" src="../' in page
    rallies = read_table(tmp_path / "out" / "rallies.csv")
    assert rallies[0]["Clip"] == "rally-001.mp4"
    assert (tmp_path / "out" / "clips" / "rally-001.mp4").is_file()


def test_the_video_of_the_same_name_is_found_and_gives_labels_their_times(tmp_path):
    write_video(tmp_path / "clip.mp4", 8)
    (tmp_path / "clip.csv").write_text("Frame,Ball,x,y\n0,1,0.25,0.5\n1,1,0.5,0.5\n")
    summary = run_analysis(tmp_path / "clip.csv", tmp_path / "out", SPORTS["badminton"])
    assert summary["video"] == str((tmp_path / "clip.mp4").resolve())
    speed = read_table(tmp_path / "out" / "speed.csv")
    assert [float(row["Time"]) for row in speed] == pytest.approx(np.arange(8) / 25)
    assert float(speed[0]["VX"]) == pytest.approx(16 * 25)


def test_cuts_of_the_video_are_found(tmp_path):
    for name, shade in (("0000", 40), ("0001", 42), ("0002", 200), ("0003", 200)):
        write_images(tmp_path / "frames", 1, shade=shade, name=f"{name}.png")
    times, firsts = watch_video(tmp_path / "frames", 4, Reporter())
    assert len(times) == 4
    assert firsts.tolist() == [2]


def test_clips_without_a_video_are_told_in_a_line(tmp_path):
    write_track(simulate("tennis", 1).track, tmp_path / "track.csv")
    with pytest.raises(InputError, match="give the `video`"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", TENNIS, clips=True)


@pytest.mark.parametrize(
    ("far", "size"),
    [((300, 200), (360, 640)), ((900, 100), (720, 1280)), ((5000, 10), (11, 5001))],
)
def test_without_a_video_the_size_is_the_usual_one_that_holds_the_track(far, size):
    assert guess_size(Track.from_positions([far[0]], [far[1]], [1])) == size
