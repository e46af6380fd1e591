import csv
import json

import pytest
from click.testing import CliRunner
from helpers_clips import write_video
from keras_tracknet_cli.analyze import analyze
from keras_tracknet_cli.court import court
from keras_tracknet_cli.render import render

from keras_tracknet.errors import InputError
from keras_tracknet.synthetic import RallyConfig, simulate_rally
from keras_tracknet.tracks.event_table import read_events
from keras_tracknet.tracks.files import read_track

POINTS = "near_left=4,30 near_right=58,30 far_left=20,8 far_right=44,8"


def run(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_render_writes_clip_labels_and_events(tmp_path):
    options = ("--sport", "tennis", "--frames", 30, "--size", "90x160", "--seed", 3, "--count", 2)
    result = run(render, "-o", tmp_path, *options, "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path}\n"
    assert sorted(path.name.partition("-")[2][:6] for path in tmp_path.glob("*.mp4")) == [
        "000003",
        "000004",
    ]
    (video,) = tmp_path.glob("rally-000003-*.mp4")
    rally = simulate_rally(RallyConfig(frames=30, size=(90, 160), seed=3, sport="tennis"))
    assert len(read_track(video.with_suffix(".csv"))) == 30
    events = read_events(video.with_suffix(".events.csv"))
    assert [event.kind for event in events] == [event.kind for event in rally.events] != []


def test_render_replaces_only_when_told(tmp_path):
    options = ("-o", tmp_path, "--frames", 3, "--size", "72x128", "--quiet")
    assert run(render, *options).exit_code == 0
    again = run(render, *options)
    assert isinstance(again.exception, InputError)
    assert "`overwrite=True`" in str(again.exception)
    assert run(render, *options, "--overwrite").exit_code == 0


@pytest.mark.parametrize("wrong", [("--size", "8x8"), ("--shutter", "9"), ("--shake", "-1")])
def test_render_refuses_what_cannot_be(tmp_path, wrong):
    assert run(render, "-o", tmp_path, *wrong).exit_code == 2


def test_court_writes_json_and_drawing(tmp_path):
    video = write_video(tmp_path / "clip.mp4")
    path = tmp_path / "court.json"
    result = run(court, video, "--points", POINTS, "-o", path, "--quiet")
    assert result.exit_code == 0, result.output
    assert "4 points: fits by construction" in result.stdout
    assert json.loads(path.read_text())["sport"] == "badminton"
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert isinstance(run(court, video, "--points", POINTS, "-o", path).exception, InputError)


def test_court_reads_points_from_json(tmp_path):
    video = write_video(tmp_path / "clip.mp4")
    pairs = (part.split("=") for part in POINTS.split())
    points = {name: [float(value) for value in place.split(",")] for name, place in pairs}
    (tmp_path / "points.json").write_text(json.dumps(points))
    result = run(
        court, video, "--points", tmp_path / "points.json", "-o", tmp_path / "c.json", "--json"
    )
    assert json.loads(result.stdout)["marks"] == 4
    (tmp_path / "points.json").write_text("[1]")
    again = run(court, video, "--points", tmp_path / "points.json", "-o", tmp_path / "d.json")
    assert "not a point" in str(again.exception)


def test_court_warns_of_a_point_that_the_others_contradict(tmp_path):
    video = write_video(tmp_path / "clip.mp4")
    points = f"{POINTS} net_left=30,30"
    result = run(court, video, "--points", points, "-o", tmp_path / "c.json", "--quiet")
    assert "net_left is" in result.stderr
    assert "mark it again" in result.stderr


def test_analyze_writes_the_tables_and_the_report(tmp_path):
    run(render, "-o", tmp_path, "--frames", 80, "--size", "180x320", "--seed", 3, "--quiet")
    (video,) = tmp_path.glob("*.mp4")
    out = tmp_path / "out"
    options = ("--video", video, "-o", out, "--quiet")
    result = run(analyze, video.with_suffix(".csv"), *options)
    assert result.exit_code == 0, result.output
    counts, place = result.stdout.splitlines()
    assert place == str(out)
    assert counts.startswith("1 rally, ")
    assert sorted(path.name for path in out.iterdir()) == [
        "events.csv",
        "rallies.csv",
        "report.html",
        "speed.csv",
    ]
    rows = list(csv.DictReader((out / "events.csv").read_text().splitlines()))
    assert rows[0]["Kind"] == "hit"
    again = run(analyze, video.with_suffix(".csv"), *options)
    assert "`overwrite=True`" in str(again.exception)
    summary = run(analyze, video.with_suffix(".csv"), *options, "--overwrite", "--json")
    assert json.loads(summary.stdout)["rallies"] == 1


def test_analyze_takes_a_court(tmp_path):
    run(render, "-o", tmp_path, "--frames", 80, "--size", "180x320", "--seed", 3, "--quiet")
    (video,) = tmp_path.glob("*.mp4")
    points = "near_left=50,170 near_right=270,170 far_left=110,80 far_right=210,80"
    run(court, video, "--points", points, "-o", tmp_path / "court.json", "--quiet")
    track = video.with_suffix(".csv")
    options = ("--video", video, "-o", tmp_path / "out", "--quiet")
    result = run(analyze, track, "--court", tmp_path / "court.json", *options)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "From above, far end at the top." in page
    assert "Court: 4 points: fits by construction" in page


def test_analyze_tells_a_missing_track_in_a_line(tmp_path):
    result = run(analyze, tmp_path / "track.csv", "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert result.output == ""  # nothing of a sport before


def test_highlights_of_a_missing_track_say_that_it_is_missing(tmp_path):
    track = tmp_path / "track.csv"
    result = run(analyze, track, "--highlights", "-o", tmp_path / "out", "--quiet")
    assert str(result.exception).startswith(f"{track}: no such file")
    assert not (tmp_path / "out").exists()
