"""The play: who hits the ball where and when, where it touches the floor, and badminton's.

Sides are -1 for the player near the camera and +1 for the far one. A racket meets the
ball half way between two frames, when the shutter is closed, so that no frame shows
a bent streak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.flight import STEP, fly_balls
from keras_tracknet.tracks.event_table import LANDING

BADMINTON = SPORTS["badminton"]

# Speed off the racket in m/s and angle above the floor in degrees: (low, high) each.
SERVES = {"short": ((7.0, 12.0), (12.0, 40.0)), "high": ((20.0, 34.0), (48.0, 64.0))}
OVERHEAD = {
    "smash": ((40.0, 85.0), (-14.0, -3.0)),
    "clear": ((24.0, 50.0), (14.0, 45.0)),
    "drop": ((11.0, 24.0), (-4.0, 16.0)),
}
UNDERHAND = {
    "lob": ((15.0, 36.0), (38.0, 66.0)),
    "net": ((4.5, 10.0), (25.0, 68.0)),
    "drive": ((12.0, 38.0), (2.0, 24.0)),
}
TRIES = 48
LONGEST_FLIGHT = 3.2  # seconds
CEILING = 6.5  # metres; a shuttle above it has left the picture for long


@dataclass(frozen=True)
class Hit:
    """A racket, or a hand, meets the ball.

    Attributes:
        time: seconds.
        side: -1 or +1.
        point: `(3,)` metres.
        player: of that side, from 0.
        kind: of the stroke; empty in volleyball.
    """

    time: float
    side: int
    point: np.ndarray
    player: int = 0
    kind: str = ""


@dataclass(frozen=True)
class Contact:
    """The ball touches the floor: seconds, `bounce` or `landing`, and the place `(3,)` metres."""

    time: float
    kind: str
    point: np.ndarray


@dataclass(frozen=True)
class Play:
    """All hits of a clip, and the flights between them.

    Attributes:
        hits: in the order of time.
        contacts: with the floor, in the order of time.
        rallies: (first hit, last touch of the floor) of each rally, seconds.
        flights: (start in seconds, end in seconds, points every `STEP` seconds); the last
            point holds to the end, for a shuttle lying on the floor.
    """

    hits: tuple[Hit, ...]
    contacts: tuple[Contact, ...]
    rallies: tuple[tuple[float, float], ...]
    flights: tuple[tuple[float, float, np.ndarray], ...]

    def locate_ball(self, times: np.ndarray) -> np.ndarray:
        """Where the ball is: `(times, 3)` metres, NaN while a player holds it."""
        found = np.full((len(times), 3), np.nan)
        for start, end, points in self.flights:
            inside = (times >= start) & (times < end)
            ticks = np.arange(len(points)) * STEP
            for axis in range(3):
                found[inside, axis] = np.interp(times[inside] - start, ticks, points[:, axis])
        return found


def play_badminton(rng: np.random.Generator, frames: int, fps: float, strokes: int) -> Play:
    """Play one rally after the other until the clip is full.

    Args:
        rng: decides everything.
        frames: length of the clip.
        fps: frames per second.
        strokes: strokes per rally, including the serve; then the shuttle lands.
    """
    duration = frames / fps
    hits: list[Hit] = []
    contacts: list[Contact] = []
    rallies: list[tuple[float, float]] = []
    flights: list[tuple[float, float, np.ndarray]] = []
    wait = rng.uniform(0.04, 0.10) * min(frames, 150) / fps  # before the serve it is in the hand
    time = between_frames(wait, fps)
    while time < duration:
        side = int(rng.choice([-1, 1]))
        point = np.array([rng.uniform(-0.9, 0.9), side * rng.uniform(2.1, 3.0), 1.0])
        chosen = choose_flight(rng, point, side, SERVES)
        if chosen is None:  # out or into the net: serve again
            continue
        path, kind, began = chosen[0], "serve", time
        for played in range(1, strokes + 1):
            hits.append(Hit(time, side, point, kind=kind))
            contact = _choose_contact(rng, path, -side, fps) if played < strokes else None
            if contact is None or time >= duration:
                break
            reached = path[round(contact / STEP)]
            reply = choose_flight(rng, reached, -side, OVERHEAD if reached[2] > 1.9 else UNDERHAND)
            if reply is None:  # out of reach: the player lets it land
                break
            flights.append((time, time + contact, path))
            time, point, side = time + contact, reached, -side
            path, kind = reply
        landed = _cut_at_floor(path)
        contacts.append(Contact(time + (len(landed) - 1) * STEP, LANDING, landed[-1]))
        rallies.append((began, contacts[-1].time))
        lying = between_frames(time + len(landed) * STEP + rng.uniform(0.1, 0.5), fps)
        flights.append((time, lying, landed))
        time = between_frames(lying + rng.uniform(0.5, 1.1), fps)
    return Play(tuple(hits), tuple(contacts), tuple(rallies), tuple(flights))


def choose_flight(
    rng: np.random.Generator,
    point: np.ndarray,
    side: int,
    strokes: dict[str, tuple[tuple[float, float], tuple[float, float]]],
) -> tuple[np.ndarray, str] | None:
    """Find a flight that clears the net and lands in the opposite court.

    Args:
        rng: draws the stroke, its speed, angle and direction.
        point: `(3,)` metres, where the racket meets the shuttle.
        side: -1 or +1, the side of the one who hits.
        strokes: name to the ranges of speed and angle.

    Returns:
        `(points, 3)` metres every `STEP` seconds and the name of the stroke, or None when no
        stroke succeeds.
    """
    order = rng.permutation(len(strokes))
    ranges = np.array(list(strokes.values()))[order]
    low, high = np.repeat(ranges, TRIES, axis=0).transpose(2, 0, 1)
    speed, angle = rng.uniform(low, high).T
    angle = np.radians(angle)
    aim = np.stack([rng.uniform(-2.6, 2.6, len(speed)), -side * rng.uniform(1, 6.3, len(speed))], 1)
    aim -= point[:2]
    aim /= np.linalg.norm(aim, axis=1, keepdims=True)
    velocity = np.concatenate(
        [aim * (speed * np.cos(angle))[:, None], (speed * np.sin(angle))[:, None]], axis=1
    )
    paths = fly_balls(point, velocity, LONGEST_FLIGHT, BADMINTON.drag)

    columns = np.arange(len(speed))
    crossed = paths[:, :, 1] * side < 0
    over = paths[crossed.argmax(axis=0), columns]
    down = paths[:, :, 2] < 0
    landing = paths[down.argmax(axis=0), columns]
    good = crossed.any(axis=0) & down.any(axis=0)
    good &= (over[:, 2] > BADMINTON.net_height + 0.08) & (
        crossed.argmax(axis=0) < down.argmax(axis=0)
    )
    good &= paths[:, :, 2].max(axis=0) < CEILING
    good &= np.abs(landing[:, 0]) < BADMINTON.width / 2
    good &= np.abs(landing[:, 1]) < BADMINTON.length / 2
    chosen = np.flatnonzero(good)
    if not len(chosen):
        return None
    return paths[:, chosen[0]], list(strokes)[order[chosen[0] // TRIES]]


def _choose_contact(
    rng: np.random.Generator, path: np.ndarray, side: int, fps: float
) -> float | None:
    """Seconds into the flight at which the player on `side` meets it, if it can be met."""
    counts = np.arange(1, int(len(path) * STEP * fps))
    seconds = counts / fps
    points = path[np.minimum(np.round(seconds / STEP).astype(int), len(path) - 1)]
    reach = (points[:, 1] * side > 0.7) & (np.abs(points[:, 1]) < 6.8) & (seconds > 0.25)
    high = reach & (points[:, 2] > 1.9) & (points[:, 2] < 2.75)
    low = reach & (points[:, 2] > 0.3) & (points[:, 2] < 1.6)
    first, second = (high, low) if rng.random() < 0.65 else (low, high)
    choices = seconds[first] if first.any() else seconds[second]
    return float(rng.choice(choices)) if len(choices) else None


def _cut_at_floor(path: np.ndarray) -> np.ndarray:
    below = path[:, 2] < 0.03
    end = int(below.argmax()) if below.any() else len(path)
    return path[: end + 1]


def between_frames(time: float, fps: float) -> float:
    """The moment half way between two frames that is closest to `time`."""
    return (max(round(time * fps - 0.5), 0) + 0.5) / fps
