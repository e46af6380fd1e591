import numpy as np
import pytest
from helpers_clips import pan_court

from keras_tracknet.training.batches.augment import Augmentation, augment_window
from keras_tracknet.training.batches.cut_outs import cut_out_balls
from keras_tracknet.training.batches.paste import SPEEDS, FlightPaster
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)

SIZE = (64, 96)  # (height, width)
COURT = (40, 120, 60)
WHITE = np.array([240, 250, 245])


def fly(frames=8, start=(30.0, 20.0), step=(4.0, 2.0)):
    return np.array(start) + np.arange(frames)[:, None] * step


def blur_ball(position, size=SIZE):
    """Return the opacity `(height, width)` of a soft ball, 0.9 in the middle."""
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    squares = (columns - position[0]) ** 2 + (rows - position[1]) ** 2
    return 0.9 * np.exp(-squares / (2 * 1.5**2))


def film(positions, court=COURT, size=SIZE, ball=WHITE):
    """Return frames of a ball before a court of one colour, and the empty court."""
    background = np.full((*size, 3), court, np.uint8)
    opacity = np.stack([blur_ball(position, size) for position in positions])[..., None]
    frames = np.where(np.isfinite(opacity), background + opacity * (ball - background), background)
    return frames.round().astype(np.uint8), background


def paste_once(paster, court, seed=0):
    frames = np.full((paster.length, *SIZE, 3), court, np.uint8)
    pasted, positions = paster.paste(frames, frames[0], np.random.default_rng(seed))
    assert (frames == np.array(court, np.uint8)).all()  # a copy was drawn on
    return pasted, positions


def test_a_pasted_flight_looks_as_if_it_had_been_filmed_there():
    flight = fly()
    frames, background = film(flight)
    paster = FlightPaster([cut_out_balls(frames, background, flight)], 8)
    for seed in range(10):
        court = (20, 30, 90)
        pasted, positions = paste_once(paster, court, seed)
        seen = np.isfinite(positions[:, 0])
        moved = positions[seen] - flight[seen]
        np.testing.assert_allclose(moved, moved.round(), atol=1e-9)  # by whole pixels
        filmed, _ = film(positions[seen], court)
        difference = np.abs(pasted[seen].astype(int) - filmed)
        assert difference.max() < 0.15 * 255  # the faint edge counts as noise
        assert difference.mean() < 0.5


def test_a_pasted_flight_goes_straight_on_slower_or_faster():
    flight = fly(3, (46.25, 30.0), (3.0, 1.5))
    frames, background = film(flight)
    paster = FlightPaster([cut_out_balls(frames, background, flight)], 3)
    speeds = []
    for seed in range(200):
        _, positions = paste_once(paster, COURT, seed)
        if np.isfinite(positions).all():
            first, second, third = positions
            np.testing.assert_allclose((first + third) / 2, second, atol=1)
            speeds.append(np.hypot(*(third - first)) / np.hypot(*(flight[2] - flight[0])))
    np.testing.assert_allclose([min(speeds), max(speeds)], SPEEDS, rtol=0.2)
    assert np.mean(np.array(speeds) < 1) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("flight", "court", "moves"),
    [
        # Too near to the picture's edge for a whole cut-out.
        (fly(start=(5.0, 5.0), step=(0.0, 0.0)), COURT, False),
        # A court as white as the ball.
        (fly(), tuple(WHITE), False),
        # Before a player.
        (fly(), COURT, True),
        # Nowhere.
        (np.full((8, 2), np.nan), COURT, False),
    ],
)
def test_what_cannot_be_cut_out_is_left_out(flight, court, moves):
    frames, background = film(flight, court)
    if moves:
        frames[:, 15:50, 20:80:2] = 10
    balls = cut_out_balls(frames, background, flight)
    assert np.isnan(balls.positions).all()
    assert not balls.opacity.any()
    with pytest.raises(ValueError, match="still background"):
        FlightPaster([balls], 8)


def test_a_racket_beside_the_ball_is_not_cut_out_with_it():
    flight = fly()
    frames, background = film(flight)
    alone = cut_out_balls(frames, background, flight)
    for frame, (x, y) in zip(frames, flight.astype(int), strict=True):
        frame[y - 1 : y + 2, x + 8] = WHITE
    both = cut_out_balls(frames, background, flight)
    np.testing.assert_array_equal(both.positions, flight)
    np.testing.assert_array_equal(both.opacity, alone.opacity)


def test_a_flight_may_leave_the_picture_and_may_have_gaps():
    flight = fly()
    frames, background = film(flight)
    flight[3] = np.nan
    paster = FlightPaster([cut_out_balls(frames, background, flight)], 8)
    left_out = 0
    for seed in range(20):
        _, positions = paste_once(paster, COURT, seed)
        assert np.isnan(positions[3]).all()
        seen = positions[np.isfinite(positions[:, 0])]
        assert len(seen)
        assert (seen >= 0).all()
        assert (seen <= [SIZE[1] - 1, SIZE[0] - 1]).all()
        left_out += 7 - len(seen)
    assert left_out


def test_half_of_the_flights_pass_over_what_moves():
    flight = fly(step=(0.0, 0.0))
    frames, background = film(flight)
    paster = FlightPaster([cut_out_balls(frames, background, flight)], 8)
    frames = np.stack([background] * 8)
    frames[:, 40:44, 70:74] = 255
    inside = 0
    for seed in range(200):
        _, positions = paster.paste(frames, background, np.random.default_rng(seed))
        x, y = positions[0].round()
        inside += 70 <= x < 74 and 40 <= y < 44
    assert 80 < inside < 120


def test_several_balls_are_moved_as_each_alone():
    flights = np.stack([fly(3), fly(3, (60.0, 50.0)), np.full((3, 2), np.nan)], axis=1)
    frames, background = film(flights[:, 0])
    augmentation = Augmentation(flip=1.0, crop=(32, 48), zoom=(0.7, 1.4), on_ball=0.0)
    _, _, together = augment_window(
        frames, background, flights, augmentation, np.random.default_rng(3)
    )
    for number in range(3):
        _, _, alone = augment_window(
            frames, background, flights[:, number], augmentation, np.random.default_rng(3)
        )
        np.testing.assert_array_equal(together[:, number], alone)


@pytest.mark.parametrize("target", ["disc", "gaussian", "classes"])
def test_targets_show_the_balls_of_both(target):
    flight = fly(12, step=(0.5, 0.25))
    frames, background = film(flight)
    clip = LabelledFrames(frames, background, flight, np.ones(12, bool))
    config = WindowConfig(3, 1 if target == "classes" else 3, target=target)

    def targets(paste):
        batches = WindowBatches(
            [clip], config, batch_size=8, augmentation=Augmentation(paste=paste), seed=5
        )
        return batches.batch(0, 0)[1].astype(float)

    plain, pasted = targets(0.0), targets(1.0)
    assert (pasted >= plain).all()
    assert all(b.sum() > a.sum() for a, b in zip(plain, pasted, strict=True))


def test_frame_mixup_has_no_place_for_a_second_ball():
    flight = fly(12, step=(3.0, 1.0))
    frames, background = film(flight)
    clip = LabelledFrames(frames, background, flight, np.ones(12, bool))
    with pytest.raises(ValueError, match=r"single ball.*paste=0\.5"):
        WindowBatches(
            [clip],
            WindowConfig(3, 3),
            batch_size=4,
            frame_mixup=0.5,
            augmentation=Augmentation(paste=0.5),
        )


def test_decoys_move_with_the_court_and_stand_in_the_background_too():
    flight = fly()
    balls = cut_out_balls(*film(flight), flight)
    paster = FlightPaster([balls], 3)
    frames = pan_court((3.0, 1.0))
    pasted, behind = paster.paste_decoys(frames, frames[0], np.random.default_rng(0))
    assert (frames == pan_court((3.0, 1.0))).all()  # copies were drawn on
    np.testing.assert_array_equal(behind, pasted[0])
    shown = np.abs(pasted.astype(int) - frames).max(axis=-1) > 20
    assert shown[0].any()
    middle = np.s_[10:-10, 10:-10]
    for number in (1, 2):  # where they were, they are, 3 pixels to the right and 1 down
        back = np.roll(shown[number], (-number, -3 * number), axis=(0, 1))
        assert (back ^ shown[0])[middle].sum() < 0.3 * shown[0][middle].sum()


def test_decoys_are_no_targets():
    flight = fly(12, step=(3.0, 1.0))
    frames, background = film(flight)
    clip = LabelledFrames(frames, background, flight, np.ones(12, bool))

    def batch(decoys):
        batches = WindowBatches(
            [clip],
            WindowConfig(3, 3, "concat"),
            batch_size=8,
            augmentation=Augmentation(decoys=decoys),
            seed=5,
        )
        return batches.batch(0, 0)

    (plain, without), (spotted, targets) = batch(0.0), batch(1.0)
    np.testing.assert_array_equal(targets, without)
    changed = (np.abs(spotted - plain) > 0.1).reshape(8, *SIZE, 4, 3).any(axis=(1, 2, 4))
    assert changed.all()  # in the background and in every frame


def test_what_is_pasted_is_of_the_same_group():
    flight = fly(12, step=(3.0, 1.0))
    shots = [film(flight, ball=np.array(ball)) for ball in ([240, 250, 245], [250, 20, 20])]
    clips = [LabelledFrames(*shot, flight, np.ones(12, bool)) for shot in shots]
    batches = WindowBatches(
        clips,
        WindowConfig(3, 3),
        batch_size=16,
        augmentation=Augmentation(paste=1.0),
        groups=["white", "red"],
    )
    windows, targets = batches.batch(0, 0)
    green = windows.reshape(16, *SIZE, 3, 3)[..., 1].transpose(0, 3, 1, 2).reshape(16, -1)
    white = (green > 0.7).any(axis=1)
    red = (green < 0.4).any(axis=1)  # darker than the court, which has 0.47
    assert (targets.sum(axis=(1, 2, 3)) > 0).all()
    assert white.any()
    np.testing.assert_array_equal(white, ~red)


def test_a_group_without_flights_gets_those_of_others():
    flight = fly(12, step=(3.0, 1.0))
    frames, background = film(flight)
    flown = LabelledFrames(frames, background, flight, np.ones(12, bool))
    empty = LabelledFrames(
        np.stack([background] * 12), background, np.full((12, 2), np.nan), np.ones(12, bool)
    )
    batches = WindowBatches(
        [flown, empty],
        WindowConfig(3, 3),
        batch_size=16,
        augmentation=Augmentation(paste=1.0),
        groups=["a", "b"],
    )
    shown = batches.batch(0, 0)[1].sum(axis=(1, 2, 3)) > 0  # not where it flies off the picture
    assert shown.sum() >= 14
