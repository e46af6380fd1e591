"""Tennis and volleyball: strokes aimed at a point, with spin, and balls that bounce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from keras_tracknet.sports import SPORTS, Sport
from keras_tracknet.synthetic.flight import STEP, fly_balls
from keras_tracknet.synthetic.play import Contact, Hit, Play, between_frames
from keras_tracknet.tracks.event_table import BOUNCE, LANDING

TRIES = 40
AIMING = 6  # corrections of a flight towards its target; each divides the miss by ten
CLEARANCE = 0.15  # metres above the net


@dataclass
class Flight:
    """A flight to a target: its points every `STEP` seconds, and how long it takes."""

    points: np.ndarray
    seconds: float

    def at(self, seconds: np.ndarray | float) -> np.ndarray:
        """Where the ball is: `(..., 3)` metres."""
        ticks = np.arange(len(self.points)) * STEP
        return np.stack([np.interp(seconds, ticks, axis) for axis in self.points.T], axis=-1)

    def velocity(self, seconds: float) -> np.ndarray:
        """How fast the ball is: `(3,)` m/s."""
        low = max(seconds - STEP, 0.0)
        speed: np.ndarray = (self.at(seconds) - self.at(low)) / (seconds - low)
        return speed


@dataclass
class _Court:
    """What has happened so far on a court."""

    rng: np.random.Generator
    sport: Sport
    fps: float
    hits: list[Hit] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    rallies: list[tuple[float, float]] = field(default_factory=list)
    flights: list[tuple[float, float, np.ndarray]] = field(default_factory=list)

    def strike(
        self,
        start: np.ndarray,
        target: np.ndarray,
        speed: tuple[float, float],
        spin: tuple[float, float],
    ) -> Flight | None:
        """Aim at a target at an average speed; None where the net is always in the way."""
        for turn in range(TRIES):
            # What hits the net is tried again, slower and therefore higher.
            pace = self.rng.uniform(*speed) * (1 - 0.6 * turn / TRIES)
            flight = self.aim(start, target, float(np.linalg.norm(target - start)) / pace, spin)
            over = flight.points[(flight.points[:, 1] * start[1] < 0).argmax()]
            if start[1] * target[1] > 0 or over[2] > self.sport.net_height + CLEARANCE:
                return flight
        return None

    def aim(
        self, start: np.ndarray, target: np.ndarray, seconds: float, spin: tuple[float, float]
    ) -> Flight:
        """Find the flight that arrives after `seconds`, rounded to whole frames."""
        seconds = max(round(seconds * self.fps), 2) / self.fps
        way = (target - start)[:2] / np.linalg.norm((target - start)[:2])
        turning = self.rng.uniform(*spin) * np.array([[-way[1], way[0], 0.0]])
        velocity = (target - start) / seconds + np.array([0, 0, 9.81 * seconds / 2])
        for _ in range(AIMING):
            flight = self._fly(start, velocity, seconds, turning)
            velocity = velocity + (target - flight.at(seconds)) / seconds
        return flight

    def bounce(self, flight: Flight) -> Flight:
        """Let a flight bounce where it ends; it flies until it would touch the floor again."""
        velocity = flight.velocity(flight.seconds) * self.sport.grip
        velocity[2] = abs(velocity[2]) * self.sport.restitution / self.sport.grip
        again = self._fly(flight.at(flight.seconds), velocity, 2.0, None)
        up = again.points[:, 2]
        down = (up < self.sport.ball_radius) & (np.gradient(up) < 0)
        return Flight(again.points, max(int(down.argmax()), 2) * STEP)

    def _fly(
        self, start: np.ndarray, velocity: np.ndarray, seconds: float, spin: np.ndarray | None
    ) -> Flight:
        path = fly_balls(start, velocity[None], seconds + 2 * STEP, self.sport.drag, spin)
        return Flight(path[:, 0], seconds)

    def add_flight(self, time: float, flight: Flight, seconds: float | None = None) -> float:
        """Let a flight fly from `time` on; return when it ends."""
        end = time + (flight.seconds if seconds is None else seconds)
        self.flights.append((time, end, flight.points))
        return end

    def touch_floor(self, time: float, kind: str, point: np.ndarray) -> None:
        self.contacts.append(Contact(time, kind, point))

    def play(self) -> Play:
        return Play(
            tuple(self.hits), tuple(self.contacts), tuple(self.rallies), tuple(self.flights)
        )


def play_tennis(rng: np.random.Generator, frames: int, fps: float, strokes: int) -> Play:
    """Play tennis from the base lines until the clip is full; see `play_badminton`."""
    court = _Court(rng, SPORTS["tennis"], fps)
    return _fill_clip(court, frames, strokes, _play_tennis_rally)


def _fill_clip(
    court: _Court, frames: int, strokes: int, play_rally: Callable[[_Court, float, int], float]
) -> Play:
    """Play rallies with pauses between them until the clip is full."""
    rng, fps = court.rng, court.fps
    time = between_frames(rng.uniform(0.1, 0.3), fps)
    while time < frames / fps:
        time = play_rally(court, time, strokes)
        time = between_frames(time + rng.uniform(0.8, 1.5), fps)
    return court.play()


def _play_tennis_rally(court: _Court, time: float, strokes: int) -> float:
    """Add a rally that begins at `time`; return when its ball is out of sight."""
    rng, began, floor = court.rng, time, court.sport.ball_radius
    side, hand = int(rng.choice([-1, 1])), rng.choice([-1, 1])
    point = np.array([hand * rng.uniform(0.3, 1.2), side * 11.8, rng.uniform(2.5, 2.9)])
    target = np.array([-hand * rng.uniform(0.6, 3.6), -side * rng.uniform(4.0, 6.2), floor])
    flight = court.strike(point, target, (30.0, 48.0), (0.0, 0.008))
    kind = "serve"
    for played in range(1, strokes + 1):
        if flight is None:
            return time
        court.hits.append(Hit(time, side, point, kind=kind))
        volley = _find_reach(court, flight, -side, (1.0, 2.3), (1.5, 5.0), 0.2)
        if played < strokes and volley is not None and rng.random() < 0.15:
            time, point = court.add_flight(time, flight, volley), flight.at(volley)
            kind = "volley"
        else:
            time = court.add_flight(time, flight)
            court.touch_floor(time, BOUNCE, flight.at(flight.seconds))
            after = court.bounce(flight)
            reach = _find_reach(court, after, -side, (0.4, 1.7), (4.0, 15.5), 0.15)
            if played == strokes or reach is None:
                time = court.add_flight(time, after)
                court.touch_floor(time, BOUNCE, after.at(after.seconds))
                court.rallies.append((began, time))
                rest = court.bounce(after)
                return court.add_flight(time, rest, min(rest.seconds, rng.uniform(0.15, 0.4)))
            time, point = court.add_flight(time, after, reach), after.at(reach)
            kind = "groundstroke"
        side = -side
        target = np.array([rng.uniform(-3.6, 3.6), -side * rng.uniform(5.5, 11.0), floor])
        flight = court.strike(point, target, (15.0, 30.0), (-0.004, 0.012))
    return time


def play_volleyball(rng: np.random.Generator, frames: int, fps: float, strokes: int) -> Play:
    """Play volleyball with three touches per side until the clip is full; see `play_badminton`."""
    court = _Court(rng, SPORTS["volleyball"], fps)
    return _fill_clip(court, frames, strokes, _play_volleyball_rally)


def _play_volleyball_rally(court: _Court, time: float, strokes: int) -> float:
    """Add a rally that begins at `time`; return when its ball is out of sight."""
    rng, began, floor = court.rng, time, court.sport.ball_radius
    side, touch = int(rng.choice([-1, 1])), 0  # touch 0 sends the ball over the net
    point = np.array([rng.uniform(-3.5, 3.5), side * 9.2, rng.uniform(2.2, 3.0)])
    speed, spin = (14.0, 22.0), (0.0, 0.012)
    for played in range(1, strokes + 1):
        last = played == strokes
        flight: Flight | None
        if touch == 0:
            up = floor if last else rng.uniform(0.6, 1.1)
            target = np.array([rng.uniform(-3.8, 3.8), -side * rng.uniform(3.5, 8.2), up])
            flight = court.strike(point, target, speed, spin)
        elif last:  # a pass that nobody gets to
            target = np.array([rng.uniform(-4, 4), side * rng.uniform(2.0, 8.0), floor])
            flight = court.aim(point, target, rng.uniform(0.9, 1.5), (0, 0))
        elif touch == 1:
            target = np.array([rng.uniform(-0.5, 2.0), side * rng.uniform(0.7, 1.8), 2.1])
            flight = court.aim(point, target, rng.uniform(0.9, 1.5), (0, 0))
        else:
            across = rng.choice([-1, 1]) * rng.uniform(2.0, 4.0)
            target = np.array([across, side * rng.uniform(0.8, 1.7), rng.uniform(2.7, 3.2)])
            flight = court.aim(point, target, rng.uniform(0.7, 1.3), (0, 0))
        if flight is None:
            return time
        court.hits.append(Hit(time, side, point, _find_player(point, side)))
        time, point = court.add_flight(time, flight), flight.at(flight.seconds)
        if last:
            break
        if touch == 0:
            side, touch = -side, 1
        else:
            touch = (touch + 1) % 3
            speed, spin = (13.0, 26.0), (0.0, 0.015)
    assert flight is not None
    court.touch_floor(time, LANDING, point)
    court.rallies.append((began, time))
    rest = court.bounce(flight)
    return court.add_flight(time, rest, min(rest.seconds, rng.uniform(0.2, 0.5)))


# Six places of a side as (x to the right, distance from the net) for the near team.
VOLLEYBALL_PLACES = ((2.8, 7.0), (2.8, 1.8), (0.0, 1.5), (-2.8, 1.8), (-2.8, 7.0), (0.0, 7.6))


def _find_player(point: np.ndarray, side: int) -> int:
    """The player of a team whose place is nearest to a point."""
    places = np.array(VOLLEYBALL_PLACES) * [1.0, side]
    return int(np.linalg.norm(places - point[:2], axis=1).argmin())


def _find_reach(
    court: _Court,
    flight: Flight,
    side: int,
    heights: tuple[float, float],
    depths: tuple[float, float],
    earliest: float,
) -> float | None:
    """Seconds into a flight, in whole frames, at which the player on `side` can meet it."""
    first = np.ceil(earliest * court.fps)
    seconds = np.arange(first, np.floor(flight.seconds * court.fps)) / court.fps
    points = flight.at(seconds)
    good = (points[:, 2] > heights[0]) & (points[:, 2] < heights[1])
    good &= (points[:, 1] * side > depths[0]) & (points[:, 1] * side < depths[1])
    good &= np.abs(points[:, 0]) < 0.5 * court.sport.width + 1.5
    return float(court.rng.choice(seconds[good])) if good.any() else None
