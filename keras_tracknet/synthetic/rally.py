"""A rally that never was: the exact track of its shuttle, and the frames that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from keras_tracknet.io.events import HIT, Event
from keras_tracknet.io.tracks import Track
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import Camera, place_camera
from keras_tracknet.synthetic.games import VOLLEYBALL_PLACES, play_tennis, play_volleyball
from keras_tracknet.synthetic.paint import Colour
from keras_tracknet.synthetic.play import Play, play_badminton
from keras_tracknet.synthetic.players import Figure, Home, dress_player, pose_player
from keras_tracknet.synthetic.scene import Scene, build_scene

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
NOISE_FIELDS = 3
NOISE_MARGIN = 64  # pixels by which a noise field is larger than a frame


@dataclass(frozen=True)
class RallyConfig:
    """What to render. The same config gives the same pixels and the same truth.

    Args:
        frames: length of the clip.
        size: (height, width) of the picture in pixels.
        fps: frames a second.
        seed: decides the hall, the camera, the players and the play.
        shots: hits of one rally, the serve among them; then the shuttle lands, and after a
            pause the next rally starts, until the clip is full.
        occlusion: whether players and the score box hide the shuttle; without, it is drawn
            over both.
        noise: standard deviation of the sensor noise in grey levels, 0 to 255.
        sport: badminton, tennis or volleyball.
        shutter: how long it is open, seconds; None for what the seed decides, between 0.18
            and 0.5 of a frame.

    Raises:
        ValueError: a value is out of range.
    """

    frames: int = 150
    size: tuple[int, int] = (720, 1280)
    fps: Fraction = Fraction(30)
    seed: int = 0
    shots: int = 10
    occlusion: bool = True
    noise: float = 2.0
    sport: str = "badminton"
    shutter: float | None = None

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1. Received: frames={self.frames}")
        if len(self.size) != 2 or min(self.size) < 64:
            raise ValueError(
                f"size must be (height, width), each 64 or more. Received: {self.size}"
            )
        if self.fps <= 0:
            raise ValueError(f"fps must be more than 0. Received: fps={self.fps}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more. Received: seed={self.seed}")
        if self.shots < 1:
            raise ValueError(f"shots must be at least 1. Received: shots={self.shots}")
        if self.noise < 0:
            raise ValueError(f"noise must be 0 or more. Received: noise={self.noise}")
        if self.sport not in SPORTS:
            raise ValueError(f"sport must be one of {list(SPORTS)}. Received: sport={self.sport!r}")
        if self.shutter is not None and not 0 <= self.shutter * self.fps <= 1:
            raise ValueError(
                f"shutter must be between 0 and 1 / fps. Received: shutter={self.shutter}"
            )


@dataclass(frozen=True)
class Rally:
    """A simulated rally: the truth about every frame, and all it takes to render them.

    Attributes:
        config: what was asked for.
        track: source pixels. A position is the middle of the shuttle's streak, where the
            streak runs from the opening to the closing of the shutter and a frame's time,
            index / fps, is half way between the two. Absent while a player holds the shuttle,
            while a player or the score box hides all of it, and out of the picture.
        shots: the first frame after each hit.
        events: every hit and every touch of the floor, in the order of time; pixels.
        camera: sees the court, in the metres of `sports`.
        streaks: `(frames, 2, 2)` pixels, (x, y) of the shuttle as the shutter opens and closes.
        radius: `(frames,)` pixels, half the width of the streak.
        distance: `(frames,)` y of the shuttle in metres, which decides what is in front of it.
        players: the far one, then the near one.
        colours: of each player's parts.
        scene: what stands still.
    """

    config: RallyConfig
    track: Track
    shots: tuple[int, ...]
    events: tuple[Event, ...]
    camera: Camera
    streaks: np.ndarray
    radius: np.ndarray
    distance: np.ndarray
    players: tuple[Figure, ...]
    colours: tuple[list[Colour], ...]
    scene: Scene

    def frames(self) -> Iterator[np.ndarray]:
        """Render the rally: yields `(height, width, 3)` uint8 RGB, one array a frame."""
        rng = np.random.default_rng([self.config.seed, 3])
        height, width = self.config.size
        softness = rng.uniform(0.45, 0.8) * height / 720
        fields = _make_noise(rng, self.config.size, self.config.noise)
        feather = rng.uniform(*BALLS[self.config.sport]) * min(self.scene.light, 1.0)
        for index in range(self.config.frames):
            image = self.scene.background.copy()
            self.scene.draw_fans(image, index / float(self.config.fps))
            for player in self.players:
                player.shade_floor(image, index)
            for draw in self._layers(index, feather):
                draw(image)
            if softness > 0.35:
                image = cv2.GaussianBlur(image, (3, 3), softness)
            if fields:
                row, column = rng.integers(0, NOISE_MARGIN, 2)
                field = fields[int(rng.integers(len(fields)))]
                part = field[row : row + height, column : column + width]
                image = cv2.addWeighted(image, 1.0, part, 1.0, -128.0)
            yield image

    def _layers(self, index: int, feather: np.ndarray) -> list[Callable[[np.ndarray], None]]:
        """What to draw in this frame, the farthest first."""
        layers: list[tuple[float, Callable[[np.ndarray], None]]] = [
            (0.0, self.scene.draw_net),
            (-np.inf, self.scene.draw_score),
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
        if self.track.visibility[index]:
            distance = self.distance[index] if self.config.occlusion else -np.inf
            behind = sum(depth >= distance for depth, _ in layers)
            streak, radius = self.streaks[index], float(self.radius[index])
            drawn.insert(behind, lambda image: draw_streak(image, streak, radius, feather))
        return drawn


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
    play = GAMES[config.sport](game, config.frames, float(config.fps), config.shots)
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
    visible = np.array(
        [
            _is_seen(config, frame, streaks[frame], radius[frame], middle[frame, 1], players, scene)
            for frame in range(config.frames)
        ]
    )
    x, y = streaks.mean(axis=1).T
    return Rally(
        config=config,
        track=Track.from_positions(x, y, visible, time=times),
        shots=tuple(
            round(hit.time * float(config.fps) + 0.5) for hit in play.hits if hit.time < times[-1]
        ),
        events=_list_events(play, camera, config),
        camera=camera,
        streaks=streaks,
        radius=radius,
        distance=middle[:, 1],
        players=players,
        colours=colours,
        scene=scene,
    )


def _list_events(play: Play, camera: Camera, config: RallyConfig) -> tuple[Event, ...]:
    """What happens in the clip, as the camera sees it."""
    happened = [(hit.time, HIT, hit.point) for hit in play.hits]
    happened += [(contact.time, contact.kind, contact.point) for contact in play.contacts]
    events = []
    for time, kind, point in sorted(happened, key=lambda entry: entry[0]):
        frame = round(time * float(config.fps))
        if frame < config.frames:
            x, y = camera.project(point).tolist()
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


def _is_seen(
    config: RallyConfig,
    frame: int,
    streak: np.ndarray,
    radius: float,
    distance: float,
    players: tuple[Figure, ...],
    scene: Scene,
) -> bool:
    """Whether any of the shuttle shows, with the middle of its streak in the picture."""
    if np.isnan(streak).any():
        return False
    height, width = config.size
    x, y = streak.mean(axis=0)
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return False
    if not config.occlusion:
        return True
    rim = radius * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    points = (np.linspace(streak[0], streak[1], 5)[:, None] + rim).reshape(-1, 2)
    hidden = scene.hides(points)
    for player in players:
        if distance > player.distance[frame]:
            hidden |= player.hides(frame, points)
    return not hidden.all()


def _make_noise(
    rng: np.random.Generator, size: tuple[int, int], deviation: float
) -> list[np.ndarray]:
    """A few fields of noise around 128, larger than a frame, to be cut at random offsets."""
    if deviation == 0:
        return []
    shape = (size[0] + NOISE_MARGIN, size[1] + NOISE_MARGIN, 3)
    fields = []
    for _ in range(NOISE_FIELDS):
        grain = rng.standard_normal(shape, dtype=np.float32)
        grain[..., 1:] = 0.6 * grain[..., 1:] + 0.8 * grain[..., :1]  # mostly of brightness
        fields.append(np.rint(grain * deviation + 128).clip(0, 255).astype(np.uint8))
    return fields
