from dataclasses import replace
from fractions import Fraction
from itertools import groupby, islice

import cv2
import numpy as np
import pytest

from keras_tracknet.sports import GRAVITY, SPORTS
from keras_tracknet.synthetic import RallyConfig, simulate_rally, write_rallies, write_rally
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.clips import name_rally
from keras_tracknet.synthetic.config import RENDERED, RENDERER
from keras_tracknet.synthetic.effects import shake_camera
from keras_tracknet.synthetic.flight import STEP, fly_balls
from keras_tracknet.synthetic.rally import GAMES, draw_streak
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.track import Track

BADMINTON = SPORTS["badminton"]
TERMINAL_SPEED = np.sqrt(GRAVITY / BADMINTON.drag)
SMALL = RallyConfig(frames=24, size=(144, 256))


def render(config):
    return np.stack(list(simulate_rally(config).frames()))


def without_shuttle(rally):
    nothing = np.full(len(rally.track), np.nan)
    absent = Track.from_positions(nothing, nothing, np.zeros(len(nothing)))
    return replace(rally, track=absent)


def find_changes(rally):
    """Yield per frame the largest difference that the shuttle makes: (height, width)."""
    for shown, empty in zip(rally.frames(), without_shuttle(rally).frames(), strict=True):
        yield np.abs(shown.astype(int) - empty.astype(int)).max(axis=2)


def test_same_seed_gives_same_pixels_and_same_truth():
    first, second = simulate_rally(SMALL), simulate_rally(SMALL)
    np.testing.assert_array_equal(first.track.x, second.track.x)
    np.testing.assert_array_equal(first.track.y, second.track.y)
    assert first.strokes == second.strokes
    np.testing.assert_array_equal(render(SMALL), render(SMALL))


def test_a_rally_renders_the_same_twice():
    rally = simulate_rally(SMALL)
    np.testing.assert_array_equal(np.stack(list(rally.frames())), np.stack(list(rally.frames())))


def test_different_seeds_look_different():
    config = replace(SMALL, frames=1)
    images = [render(replace(config, seed=seed))[0].astype(int) for seed in range(3)]
    for other in images[1:]:
        assert np.abs(images[0] - other).mean() > 10
    assert simulate_rally(replace(SMALL, seed=1)).strokes != simulate_rally(SMALL).strokes


def test_rendering_leaves_the_global_seed_alone():
    before = np.random.get_state()[1].copy()
    render(replace(SMALL, frames=2))
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("frames", [1, 2, 24, 61])
def test_one_truth_row_and_one_image_per_frame(frames):
    config = replace(SMALL, frames=frames, fps=Fraction(30000, 1001))
    rally = simulate_rally(config)
    assert len(rally.track) == len(list(rally.frames())) == frames
    np.testing.assert_allclose(rally.track.time, np.arange(frames) * 1001 / 30000)
    assert all(0 < stroke < frames for stroke in rally.strokes)


@pytest.mark.parametrize("size", [(144, 256), (256, 144), (200, 200), (145, 321)])
def test_any_shape_of_picture_has_the_shuttle_in_it(size):
    rally = simulate_rally(replace(SMALL, size=size, frames=60))
    image = next(rally.frames())
    assert image.shape == (*size, 3)
    assert image.dtype == np.uint8
    assert rally.track.visibility.mean() > 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_change_the_shuttle_makes_is_where_the_truth_says(seed):
    rally = simulate_rally(
        RallyConfig(frames=45, size=(360, 640), seed=seed, occlusion=False, noise=0)
    )
    # On a grey picture nothing but the shuttle counts: white lines would swallow parts of it.
    grey = replace(rally.scene, background=np.full_like(rally.scene.background, 90))
    grey = replace(grey, net_cover=np.zeros_like(grey.net_cover))
    apart = [replace(p, parts=p.parts + 9999, racket=p.racket + 9999) for p in rally.players]
    rally = replace(rally, scene=grey, players=tuple(apart))
    errors = []
    for index, change in enumerate(find_changes(rally)):
        if not rally.track.visibility[index]:
            continue
        rows, columns = np.nonzero(change)
        weight = change[rows, columns] / change.sum()
        found = np.array([weight @ columns, weight @ rows])
        errors.append(np.abs(found - [rally.track.x[index], rally.track.y[index]]).max())
    assert len(errors) > 20
    assert max(errors) < 0.6


def test_the_change_is_near_the_truth_in_the_full_scene():
    rally = simulate_rally(RallyConfig(frames=45, size=(360, 640), seed=3))
    seen = 0
    for index, change in enumerate(find_changes(rally)):
        rows, columns = np.nonzero(change > 8)
        if rally.track.visibility[index] and len(rows):
            ends = rally.streaks[index]
            reach = rally.radius[index] + 2.5
            assert columns.min() >= ends[:, 0].min() - reach
            assert columns.max() <= ends[:, 0].max() + reach
            assert rows.min() >= ends[:, 1].min() - reach
            assert rows.max() <= ends[:, 1].max() + reach
            seen += 1
    assert seen > 20


def test_absent_frames_have_no_shuttle_pixels():
    rally = simulate_rally(RallyConfig(frames=45, size=(144, 256), seed=1))
    absent = ~rally.track.visibility
    assert absent.any()
    for index, change in enumerate(find_changes(rally)):
        if absent[index]:
            assert not change.any()


def test_the_clip_starts_with_the_shuttle_in_the_hand():
    rally = simulate_rally(SMALL)
    first = rally.strokes[0]
    assert first >= 1
    assert not rally.track.visibility[:first].any()
    assert rally.track.visibility[first:].any()


@pytest.mark.parametrize("occlusion", [True, False])
def test_no_position_beyond_the_picture_is_visible(occlusion):
    for seed in range(6):
        rally = simulate_rally(
            RallyConfig(frames=150, size=(144, 256), seed=seed, occlusion=occlusion)
        )
        seen = rally.track.visibility
        assert (rally.track.x[seen] >= 0).all()
        assert (rally.track.x[seen] <= 255).all()
        assert (rally.track.y[seen] >= 0).all()
        assert (rally.track.y[seen] <= 143).all()


def test_players_hide_the_shuttle_only_where_asked():
    hidden = 0
    for seed in range(8):
        config = RallyConfig(frames=150, size=(144, 256), seed=seed)
        with_players = simulate_rally(config).track.visibility
        free = simulate_rally(replace(config, occlusion=False)).track.visibility
        assert not (with_players & ~free).any()
        hidden += int((free & ~with_players).sum())
    assert hidden > 0


def test_the_share_of_absent_frames_is_that_of_a_broadcast():
    tracks = [simulate_rally(RallyConfig(size=(144, 256), seed=s)).track for s in range(10)]
    absent = 1 - np.mean([track.visibility.mean() for track in tracks])
    assert 0.06 < absent < 0.22


def test_free_fall_reaches_terminal_speed():
    path = fly_balls(np.array([0.0, 0.0, 100.0]), np.zeros((1, 3)), 6.0, BADMINTON.drag)[:, 0]
    speed = -np.diff(path[:, 2]) / STEP
    assert (np.diff(speed) > -1e-9).all()
    assert speed[-1] == pytest.approx(TERMINAL_SPEED, rel=1e-3)


def test_first_moments_of_a_fall_are_free_of_drag():
    path = fly_balls(np.zeros(3), np.zeros((1, 3)), 0.1, BADMINTON.drag)[:, 0]
    assert path[-1, 2] == pytest.approx(-9.81 / 2 * 0.1**2, rel=0.02)


def test_drag_slows_a_smash_as_the_closed_form_says():
    path = fly_balls(np.zeros(3), np.array([[0.0, 80.0, 0.0]]), 0.5, BADMINTON.drag)[:, 0]
    drag = BADMINTON.drag
    seconds = np.arange(len(path)) * STEP
    # Without gravity a shuttle covers log(1 + k v t) / k.
    expected = np.log1p(drag * 80.0 * seconds) / drag
    np.testing.assert_allclose(path[:, 1], expected, rtol=0.02, atol=0.05)


def test_the_camera_sees_the_middle_of_the_court_above_its_near_end():
    camera = place_camera(np.random.default_rng(0), (720, 1280), BADMINTON)
    near, middle, far = camera.project(np.array([[0, -6.7, 0], [0, 0, 0], [0, 6.7, 0]]))
    assert 720 > near[1] > middle[1] > far[1] > 0
    assert camera.project(np.array([0, 0, 1.0]))[1] < middle[1]
    assert camera.project(np.array([1.0, 0, 0]))[0] > middle[0]
    # A metre upright at the net is as long as `scale` says, less the tilt of the camera.
    up = middle[1] - camera.project(np.array([0, 0, 1.0]))[1]
    assert 0.7 < up / camera.scale(np.zeros(3)) < 1.05


@pytest.mark.parametrize(
    "streak",
    [
        [[20.0, 12.0], [20.0, 12.0]],  # at rest, on a pixel
        [[20.5, 12.25], [20.5, 12.25]],  # at rest, between pixels
        [[15.3, 10.1], [26.9, 14.2]],  # fast
    ],
)
def test_a_drawn_streak_has_its_centroid_in_the_middle(streak):
    image = np.zeros((32, 48, 3), np.uint8)
    draw_streak(image, np.array(streak), 2.0, np.array([250.0, 250.0, 250.0]))
    rows, columns = np.indices(image.shape[:2])
    weight = image[..., 0] / image[..., 0].sum()
    middle = np.mean(streak, axis=0)
    np.testing.assert_allclose([(weight * columns).sum(), (weight * rows).sum()], middle, atol=0.1)


def test_a_streak_off_the_picture_draws_nothing():
    image = np.zeros((32, 48, 3), np.uint8)
    draw_streak(image, np.full((2, 2), -20.0), 2.0, np.full(3, 250.0))
    draw_streak(image, np.full((2, 2), 90.0), 2.0, np.full(3, 250.0))
    assert not image.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frames": 0}, "frames=0"),
        ({"size": (10, 256)}, "`size` must be"),
        ({"fps": Fraction(0)}, "fps=0"),
        ({"seed": -1}, "seed=-1"),
        ({"strokes": 0}, "strokes=0"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"sport": "curling"}, "sport='curling'"),
        ({"shutter": 0.1}, "shutter=0.1"),
        ({"shake": -1.0}, "shake=-1.0"),
        ({"shake": float("nan")}, "shake=nan"),
        ({"noise": float("inf")}, "noise=inf"),
        ({"compression": 0}, "compression=0"),
    ],
)
def test_a_wrong_config_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        RallyConfig(**wrong)


def test_a_written_rally_is_read_back(tmp_path):
    from keras_tracknet.video.reader import read_frames

    path = write_rally(SMALL, tmp_path)
    rally, track = simulate_rally(SMALL), read_track(path.with_suffix(".csv"))
    np.testing.assert_allclose(track.x, rally.track.x, atol=1e-3)
    np.testing.assert_array_equal(track.visibility, rally.track.visibility)
    read = [getattr(frame, "image", frame) for frame in read_frames(path)]
    assert len(read) == len(track)
    for image, rendered in zip(read, rally.frames(), strict=True):
        assert np.abs(np.asarray(image).astype(int) - rendered).mean() < 12


def test_rallies_that_are_there_are_kept(tmp_path):
    calls = []
    first = write_rallies(tmp_path, 2, seed=5, frames=3, size=(64, 96))
    stamps = [path.stat().st_mtime_ns for path in first]
    again = write_rallies(
        tmp_path, 3, seed=5, frames=3, size=(64, 96), progress=lambda *c: calls.append(c)
    )
    assert again[:2] == first
    assert [path.stat().st_mtime_ns for path in first] == stamps
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert len({path.name for path in again}) == 3
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv"] * 3 + [".mp4"] * 3


def test_no_rallies_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="count=0"):
        write_rallies(tmp_path, 0)


@pytest.mark.parametrize("sport", RENDERED)
def test_every_sport_has_hits_that_the_flight_passes_through(sport):
    rally = simulate_rally(
        RallyConfig(frames=150, size=(144, 256), seed=1, sport=sport, occlusion=False)
    )
    assert sum(event.kind == HIT for event in rally.events) >= 3
    times, positions = rally.track.time, rally.track.positions
    for event in rally.events:
        near = np.flatnonzero(np.abs(times - event.time) <= 1 / 30)
        near = near[rally.track.visibility[near]]
        if len(near):  # a frame away it is not far off
            apart = np.hypot(*(positions[near] - [event.x, event.y]).T).min()
            assert apart < 25


@pytest.mark.parametrize(
    ("sport", "kind"), [("badminton", LANDING), ("tennis", BOUNCE), ("volleyball", LANDING)]
)
def test_the_ball_is_on_the_floor_where_it_bounces_or_lands(sport, kind):
    config = RallyConfig(frames=300, size=(144, 256), seed=2, sport=sport, strokes=2)
    play = GAMES[sport](np.random.default_rng([2, 1]), 300, 30.0, 2)
    assert play.contacts
    for contact in play.contacts:
        assert contact.kind in (kind, BOUNCE)
        assert abs(contact.point[2] - SPORTS[sport].ball_radius) < 0.1
        assert play.locate_ball(np.array([contact.time - 0.02]))[0, 2] > contact.point[2]
    assert {event.kind for event in simulate_rally(config).events} == {HIT, kind}


def test_every_tennis_rally_ends_with_the_second_bounce():
    play = GAMES["tennis"](np.random.default_rng(0), 900, 30.0, 4)
    assert len(play.rallies) >= 3
    for start, end in play.rallies:
        happened = [(hit.time, "h") for hit in play.hits] + [(c.time, "b") for c in play.contacts]
        kinds = "".join(k for time, k in sorted(happened) if start <= time <= end)
        assert kinds.startswith("h")
        assert kinds.endswith("hbb")
        assert "bb" not in kinds[:-2]


def test_volleyball_has_at_most_three_touches_a_side():
    play = GAMES["volleyball"](np.random.default_rng(0), 900, 30.0, 9)
    sides = [hit.side for hit in play.hits]
    assert len(sides) > 10
    runs = [len(list(run)) for _, run in groupby(sides)]
    assert max(runs) <= 4  # three, and the serve of the next rally by the same side
    assert 3 in runs


def test_spin_bends_a_flight_down_or_up():
    ends = []
    for spin in (-0.01, 0.0, 0.01):  # turning about x, towards which a ball along y is rolled
        path = fly_balls(
            np.zeros(3), np.array([[0.0, 30.0, 5.0]]), 0.8, 0.02, np.array([[-spin, 0, 0]])
        )
        ends.append(path[-1, 0, 2])
    assert ends[0] > ends[1] + 1 > ends[2] + 2


def test_the_shutter_decides_how_long_streaks_are():
    lengths = []
    for shutter in (1 / 200, 1 / 60):
        streaks = simulate_rally(replace(SMALL, shutter=shutter)).streaks
        lengths.append(np.nanmax(np.linalg.norm(streaks[:, 1] - streaks[:, 0], axis=1)))
    assert lengths[1] == pytest.approx(200 / 60 * lengths[0], rel=0.1)


def test_a_shaking_camera_moves_picture_and_truth_alike():
    still, shaken = simulate_rally(SMALL), simulate_rally(replace(SMALL, shake=3.0))
    seen = still.track.visibility & shaken.track.visibility
    moved = shaken.track.positions[seen] - still.track.positions[seen]
    np.testing.assert_allclose(moved, shaken.shifts[seen])
    assert 1 < np.abs(shaken.shifts).max() < 12
    frame = int(np.abs(shaken.shifts[:, 0]).argmax())
    first, second = (
        cv2.cvtColor(list(r.frames())[frame], cv2.COLOR_RGB2GRAY) for r in (still, shaken)
    )
    found, _ = cv2.phaseCorrelate(first[70:].astype(float), second[70:].astype(float))
    np.testing.assert_allclose(found, shaken.shifts[frame], atol=0.6)


def test_shake_is_as_strong_as_asked():
    shifts = shake_camera(np.random.default_rng(0), 6000, 30.0, 2.0)
    np.testing.assert_allclose(shifts.std(axis=0), 2.0, rtol=0.2)
    assert np.abs(np.diff(shifts, axis=0)).std() < 1.0  # smooth


def test_compression_changes_pixels_and_no_truth():
    plain, packed = simulate_rally(SMALL), simulate_rally(replace(SMALL, compression=30))
    np.testing.assert_array_equal(plain.track.x, packed.track.x)
    change = np.abs(next(plain.frames()).astype(int) - next(packed.frames()))
    assert 0.5 < change.mean() < 12


def test_cuts_lie_between_rallies_and_hide_the_ball():
    config = RallyConfig(frames=150, size=(144, 256), seed=1, strokes=2, cuts=True)
    rally = simulate_rally(config)
    assert rally.cuts
    plain = list(simulate_rally(replace(config, cuts=False)).frames())
    for index, image in enumerate(rally.frames()):
        away = any(first <= index < stop for first, stop in rally.cuts)
        different = np.abs(image.astype(int) - plain[index]).mean() > 8
        assert different == away
        if away:
            assert not rally.track.visibility[index]
    for event in rally.events:
        assert not any(first <= event.frame < stop for first, stop in rally.cuts)


def test_a_default_rally_has_the_name_it_always_had():
    assert name_rally(RallyConfig(seed=3)) == "rally-000003-e95bd619"


def test_a_renderer_that_draws_otherwise_has_another_number():
    """Who changes these on purpose raises RENDERER: fit renders its rallies anew then."""
    rally = simulate_rally(RallyConfig(frames=20, size=(96, 160), seed=11))
    (picture,) = islice(rally.frames(), 19, 20)
    tiles = picture.reshape(4, 24, 4, 40, 3).mean(axis=(1, 3, 4))
    truth = np.nanmean(rally.track.positions, axis=0)
    assert RENDERER == 1
    np.testing.assert_allclose(truth, [85.486, 47.455], atol=0.01)
    expected = [
        [71.3, 40.4, 17.3, 15.4],
        [13.0, 36.2, 33.8, 14.0],
        [74.2, 114.8, 107.8, 67.3],
        [66.3, 107.4, 101.3, 64.6],
    ]
    np.testing.assert_allclose(tiles, expected, atol=0.5)


def test_the_name_of_a_file_tells_every_setting():
    names = {
        name_rally(replace(SMALL, **change))
        for change in (
            {},
            {"sport": "tennis"},
            {"shake": 1.0},
            {"cuts": True},
            {"compression": 50},
            {"shutter": 0.01},
        )
    }
    assert len(names) == 6
