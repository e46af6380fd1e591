"""A rally that never was: the exact track of its shuttle, and the frames that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import Camera, place_camera
from keras_tracknet.synthetic.config import RallyConfig
from keras_tracknet.synthetic.effects import (
    add_noise,
    compress_picture,
    look_closer,
    make_noise,
    move_picture,
    place_cuts,
    shake_camera,
)
from keras_tracknet.synthetic.games import VOLLEYBALL_PLACES, play_tennis, play_volleyball
from keras_tracknet.synthetic.paint import Colour
from keras_tracknet.synthetic.play import Play, play_badminton
from keras_tracknet.synthetic.players import Figure, Home, dress_player, pose_player
from keras_tracknet.synthetic.scene import Scene, build_scene
from keras_tracknet.tracks.event_table import HIT, Event
from keras_tracknet.tracks.track import Track

SIDES = (1, -1)  # the far player is drawn first
GAMES = {"badminton": play_badminton, "tennis": play_tennis, "volleyball": play_volleyball}
HOMES = {
    "badminton": (Home(0.0, front=2.6, recover=2.8, back=4.0),),
    "tennis": (Home(0.0, front=11.5, recover=11.6, back=13.0),),
    "volleyball": tuple(Home(x, y - 0.5, y - 0.4, y + 0.5) for x, y in VOLLEYBALL_PLACES),
}
# The ball's colour, RGB: least and greatest.
BALLS = {
    "badminton": ([215, 215, 195], [256, 256, 245]),
    "tennis": ([190, 215, 60], [230, 250, 120]),
    "volleyball": ([225, 200, 60], [250, 245, 215]),
}


@dataclass(frozen=True)
class Rally:
    """A simulated rally: the truth about every frame, and all it takes to render them.

    Attributes:
        config: what was asked for.
        track: source pixels. A position is the middle of the shuttle's streak, where the
            streak runs from the opening to the closing of the shutter and a frame's time,
            index / fps, is half way between the two. Absent while a player holds the shuttle,
            while a player or the score box hides all of it, and out of the picture.
        strokes: the first frame after each stroke.
        events: every hit and every touch of the floor, in the order of time; pixels.
        camera: sees the court, in the metres of `sports`; where it shakes, before it does.
        shifts: `(frames, 2)` pixels to the right and down that the shaking camera moves the
            picture by.
        cuts: frames (first, one after the last) that show something else than the court.
        streaks: `(frames, 2, 2)` pixels, (x, y) of the shuttle as the shutter opens and closes.
        radius: `(frames,)` pixels, half the width of the streak.
        distance: `(frames,)` y of the shuttle in metres, which decides what is in front of it.
        players: the far one, then the near one.
        colours: of each player's parts.
        scene: what stands still.
    """

    config: RallyConfig
    track: Track
    strokes: tuple[int, ...]
    events: tuple[Event, ...]
    camera: Camera
    shifts: np.ndarray
    cuts: tuple[tuple[int, int], ...]
    streaks: np.ndarray
    radius: np.ndarray
    distance: np.ndarray
    players: tuple[Figure, ...]
    colours: tuple[list[Colour], ...]
    scene: Scene

    def frames(self) -> Iterator[np.ndarray]:
        """Render the rally: yields `(height, width, 3)` uint8 RGB, one array a frame."""
        rng = np.random.default_rng([self.config.seed, 3])
        softness = rng.uniform(0.45, 0.8) * self.config.size[0] / 720
        fields = make_noise(rng, self.config.size, self.config.noise)
        ball = rng.uniform(*BALLS[self.config.sport]) * min(self.scene.light, 1.0)
        away = self._look_away()
        for index in range(self.config.frames):
            image = away[index] if index in away else self._draw(index, ball)
            if softness > 0.35:
                image = cv2.GaussianBlur(image, (3, 3), softness)
            if fields:
                image = add_noise(rng, image, fields)
            if self.config.compression is not None:
                image = compress_picture(image, self.config.compression)
            yield image

    def _draw(self, index: int, ball: np.ndarray) -> np.ndarray:
        """Draw a frame as a camera without faults sees it."""
        image = self.scene.background.copy()
        self.scene.draw_fans(image, index / float(self.config.fps))
        for player in self.players:
            player.shade_floor(image, index)
        for draw in self._layers(index, ball):
            draw(image)
        if self.shifts[index].any():
            image = move_picture(image, self.shifts[index])
        self.scene.draw_score(image)
        if self.track.visibility[index] and not self.config.occlusion:
            streak = self.streaks[index] + self.shifts[index]
            draw_streak(image, streak, float(self.radius[index]), ball)
        return image

    def _look_away(self) -> dict[int, np.ndarray]:
        """The frames that show something else."""
        pictures: dict[int, np.ndarray] = {}
        rng = np.random.default_rng([self.config.seed, 5])
        for first, stop in self.cuts:
            close = look_closer(rng, self.scene.background, stop - first)
            pictures.update(zip(range(first, stop), close, strict=True))
        return pictures

    def _layers(self, index: int, ball: np.ndarray) -> list[Callable[[np.ndarray], None]]:
        """What to draw in this frame, the farthest first."""
        layers: list[tuple[float, Callable[[np.ndarray], None]]] = [
            (0.0, self.scene.draw_net),
        ]
        for player, colours in zip(self.players, self.colours, strict=True):
            layers.append(
                (
                    player.distance[index],
                    lambda image, p=player, c=colours: p.draw(image, index, c),  # type: ignore[misc]
                )
            )
        layers.sort(key=lambda layer: -layer[0])
        drawn = [draw for _, draw in layers]
        if self.track.visibility[index] and self.config.occlusion:
            behind = sum(depth >= self.distance[index] for depth, _ in layers)
            drawn.insert(behind, lambda image: self._draw_ball(image, index, ball))
        return drawn

    def _draw_ball(self, image: np.ndarray, index: int, ball: np.ndarray) -> None:
        draw_streak(image, self.streaks[index], float(self.radius[index]), ball)


def simulate_rally(config: RallyConfig) -> Rally:
    """Simulate the play, the players and the hall of a rally; nothing is rendered yet.

    Example:
        >>> rally = simulate_rally(RallyConfig(frames=3, size=(72, 128)))
        >>> len(rally.track), [frame.shape for frame in rally.frames()][0]
        (3, (72, 128, 3))
    """
    hall, game, people = (np.random.default_rng([config.seed, part]) for part in range(3))
    sport = SPORTS[config.sport]
    camera = place_camera(hall, config.size, sport)
    scene = build_scene(hall, camera, config.size, sport)
    exposure = hall.uniform(0.18, 0.5) / float(config.fps)
    if config.shutter is not None:
        exposure = config.shutter

    times = np.arange(config.frames) / float(config.fps)
    play = GAMES[config.sport](game, config.frames, float(config.fps), config.strokes)
    team = [(side, number) for side in SIDES for number in range(len(HOMES[config.sport]))]
    players = tuple(
        pose_player(
            people,
            [hit for hit in play.hits if (hit.side, hit.player) == (side, number)],
            side,
            HOMES[config.sport][number],
            times,
            camera,
            racket=config.sport != "volleyball",
        )
        for side, number in team
    )
    colours = tuple(dress_player(people, side, scene.light) for side, _ in team)

    ends = [play.locate_ball(times + shift) for shift in (-exposure / 2, exposure / 2)]
    middle = play.locate_ball(times)
    streaks = np.stack([camera.project(end) for end in ends], axis=1)
    radius = np.maximum(camera.scale(middle) * sport.ball_radius, 0.8)
    shaking = np.random.default_rng([config.seed, 4])
    shifts = shake_camera(shaking, config.frames, float(config.fps), config.shake)
    cuts = place_cuts(play.rallies, config.frames, float(config.fps)) if config.cuts else ()
    seen = _Sight(config, players, scene, shifts)
    visible = np.array(
        [
            seen.sees(frame, streaks[frame], radius[frame], middle[frame, 1])
            for frame in range(config.frames)
        ]
    )
    for first, stop in cuts:
        visible[first:stop] = False
    x, y = (streaks.mean(axis=1) + shifts).T
    return Rally(
        config=config,
        track=Track.from_positions(x, y, visible, time=times),
        strokes=tuple(
            round(hit.time * float(config.fps) + 0.5) for hit in play.hits if hit.time < times[-1]
        ),
        events=_list_events(play, camera, shifts, config),
        camera=camera,
        shifts=shifts,
        cuts=cuts,
        streaks=streaks,
        radius=radius,
        distance=middle[:, 1],
        players=players,
        colours=colours,
        scene=scene,
    )


def _list_events(
    play: Play, camera: Camera, shifts: np.ndarray, config: RallyConfig
) -> tuple[Event, ...]:
    """What happens in the clip, as the camera sees it."""
    happened = [(hit.time, HIT, hit.point) for hit in play.hits]
    happened += [(contact.time, contact.kind, contact.point) for contact in play.contacts]
    events = []
    for time, kind, point in sorted(happened, key=lambda entry: entry[0]):
        frame = round(time * float(config.fps))
        if frame < config.frames:
            x, y = (camera.project(point) + shifts[frame]).tolist()
            rally = next((i for i, (a, b) in enumerate(play.rallies, 1) if a <= time <= b), 0)
            events.append(Event(time, frame, kind, x, y, rally=rally))
    return tuple(events)


def draw_streak(image: np.ndarray, streak: np.ndarray, radius: float, colour: np.ndarray) -> None:
    """Draw a shuttle that moved while the shutter was open, with soft sub-pixel edges.

    Args:
        image: `(height, width, 3)` uint8 RGB, drawn upon.
        streak: `(2, 2)` pixels, (x, y) at both ends.
        radius: pixels, half the width of the streak.
        colour: `(3,)` RGB, 0 to 255. The longer the streak, the more of the background
            shines through.
    """
    height, width = image.shape[:2]
    low = np.maximum(np.floor(streak.min(axis=0) - radius - 1).astype(int), 0)
    high = np.minimum(np.ceil(streak.max(axis=0) + radius + 2).astype(int), (width, height))
    if (high <= low).any():
        return
    start, along = streak[0], streak[1] - streak[0]
    x = np.arange(low[0], high[0]) - start[0]
    y = (np.arange(low[1], high[1]) - start[1])[:, None]
    share = ((x * along[0] + y * along[1]) / max(float(along @ along), 1e-9)).clip(0, 1)
    away = np.hypot(x - share * along[0], y - share * along[1])
    strength = (2 * radius / (2 * radius + np.hypot(*along))) ** 0.4
    cover = (strength * (radius + 0.5 - away).clip(0, 1))[..., None]
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = np.rint(part + (colour - part) * cover).clip(0, 255)


@dataclass(frozen=True)
class _Sight:
    """What of a ball can be seen."""

    config: RallyConfig
    players: tuple[Figure, ...]
    scene: Scene
    shifts: np.ndarray

    def sees(self, frame: int, streak: np.ndarray, radius: float, distance: float) -> bool:
        """Whether any of the ball shows, with the middle of its streak in the picture."""
        if np.isnan(streak).any():
            return False
        height, width = self.config.size
        shift = self.shifts[frame]
        x, y = streak.mean(axis=0) + shift
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            return False
        if not self.config.occlusion:
            return True
        rim = radius * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        points = (np.linspace(streak[0], streak[1], 5)[:, None] + rim).reshape(-1, 2)
        hidden = self.scene.hides(points + shift)
        for player in self.players:
            if distance > player.distance[frame]:
                hidden |= player.hides(frame, points)
        return not hidden.all()
