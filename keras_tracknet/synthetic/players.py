"""The players: how they walk, how they stand, and what the camera sees of them.

A player is a set of capsules (a line with a radius) in the upright plane through their feet,
so that drawing them and asking what they hide use one geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from keras_tracknet.synthetic.camera import Camera
from keras_tracknet.synthetic.paint import Colour, draw_capsule, fix_point
from keras_tracknet.synthetic.play import Hit

# Part, the two joints it runs between, radius in metres, what colours it.
PARTS = (
    ("free_thigh", "free_hip", "free_knee", 0.085, "shorts"),
    ("racket_thigh", "racket_hip", "racket_knee", 0.085, "shorts"),
    ("free_shin", "free_knee", "free_ankle", 0.050, "skin"),
    ("racket_shin", "racket_knee", "racket_ankle", 0.050, "skin"),
    ("free_shoe", "free_ankle", "free_toe", 0.052, "shoes"),
    ("racket_shoe", "racket_ankle", "racket_toe", 0.052, "shoes"),
    ("free_torso", "free_shoulder", "free_hip", 0.115, "shirt"),
    ("racket_torso", "racket_shoulder", "racket_hip", 0.115, "shirt"),
    ("neck", "neck", "head", 0.055, "skin"),
    ("head", "head", "head", 0.115, "skin"),
    ("hair", "crown", "crown", 0.105, "hair"),
    ("free_sleeve", "free_shoulder", "free_elbow", 0.058, "shirt"),
    ("racket_sleeve", "racket_shoulder", "racket_elbow", 0.058, "shirt"),
    ("free_forearm", "free_elbow", "free_hand", 0.040, "skin"),
    ("racket_forearm", "racket_elbow", "racket_hand", 0.040, "skin"),
    ("wristband", "wrist", "racket_hand", 0.046, "band"),
)
RADII = np.array([part[3] for part in PARTS])
RACKET_RADIUS = 0.115
RACKET_GRIP = 0.55  # metres from the shoulder to the hand that holds it


class Home(NamedTuple):
    """Where a player waits: metres to the right of the middle, and from the net.

    A player starts between `front` and `back`, and goes back to between `recover` and `back`.
    """

    x: float
    front: float
    recover: float
    back: float


@dataclass(frozen=True)
class Figure:
    """One player in every frame, in pixels.

    Attributes:
        parts: `(frames, parts, 2, 2)`, the ends (x, y) of each capsule.
        radii: `(frames, parts)`.
        racket: `(frames, 2, 2)`, hand and middle of the racket head.
        racket_radius: `(frames,)`, 0 for none.
        distance: `(frames,)`, y of the feet in metres; the shuttle beyond it is hidden.
    """

    parts: np.ndarray
    radii: np.ndarray
    racket: np.ndarray
    racket_radius: np.ndarray
    distance: np.ndarray

    def hides(self, frame: int, points: np.ndarray) -> np.ndarray:
        """Which of `(points, 2)` pixels lie inside the player's outline: `(points,)` bool."""
        start, end = self.parts[frame, :, 0], self.parts[frame, :, 1]
        along = end - start
        offset = points[:, None] - start  # (points, parts, 2)
        share = (offset * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
        nearest = offset - share.clip(0, 1)[..., None] * along
        distance = np.hypot(nearest[..., 0], nearest[..., 1])
        touched: np.ndarray = (distance < self.radii[frame]).any(axis=1)
        return touched

    def draw(self, image: np.ndarray, frame: int, colours: Sequence[Colour]) -> None:
        """Draw the player onto an RGB image; `colours` has one a part and the racket's."""
        for ends, radius, colour in zip(
            self.parts[frame], self.radii[frame], colours, strict=False
        ):
            draw_capsule(image, ends, float(radius), colour)
        hand, middle = self.racket[frame]
        reach = float(self.racket_radius[frame])
        if not reach:
            return
        thickness = max(1, round(reach / 7))
        shaft = middle - (middle - hand) / max(np.hypot(*(middle - hand)), 1e-6) * reach
        cv2.line(image, fix_point(hand), fix_point(shaft), colours[-1], thickness, cv2.LINE_AA, 4)
        cv2.circle(
            image, fix_point(middle), int(reach * 16), colours[-1], thickness, cv2.LINE_AA, 4
        )

    def shade_floor(self, image: np.ndarray, frame: int) -> None:
        """Darken the floor under the player's feet."""
        feet = self.parts[frame, 4:6].reshape(-1, 2)
        reach = self.radii[frame, 0] * 5
        x, y = feet.mean(axis=0)
        left, right = (int(np.clip(x + d, 0, image.shape[1])) for d in (-reach, reach))
        top, bottom = (int(np.clip(y + d, 0, image.shape[0])) for d in (-reach / 2, reach / 2))
        if left >= right or top >= bottom:
            return
        floor = image[top:bottom, left:right]
        dark = floor.copy()
        axes = (int(reach * 14), int(reach * 5))
        middle = fix_point(np.array([x - left, y - top]))
        cv2.ellipse(dark, middle, axes, 0, 0, 360, (10, 10, 10), -1, cv2.LINE_AA, 4)
        floor[:] = cv2.addWeighted(floor, 0.72, dark, 0.28, 0)


def dress_player(rng: np.random.Generator, side: int, light: float) -> list[Colour]:
    """Draw the colour of every part, and of the racket, at random; shoes are mostly bright."""
    vivid = rng.integers(20, 245, (2, 3))
    bright = rng.uniform(170, 250)
    skin = np.array([232, 190, 160]) * rng.uniform(0.4, 1.0)
    hair = np.array([40, 30, 25]) * rng.uniform(0.4, 2.5)
    wear = {
        "shirt": vivid[0] if rng.random() < 0.8 else np.full(3, bright),
        "shorts": vivid[1] * 0.6 if rng.random() < 0.8 else np.full(3, bright),
        "skin": skin,
        "hair": hair,
        "shoes": np.full(3, bright) if rng.random() < 0.7 else rng.integers(20, 255, 3),
        "band": np.full(3, bright) if rng.random() < 0.6 else skin,
    }
    if side < 0:  # seen from behind
        wear["head"] = hair
    table = [wear.get(name, wear[colour]) for name, _, _, _, colour in PARTS]
    table.append(rng.integers(60, 230, 3))
    return [tuple(int(v) for v in np.clip(c * light, 0, 255)) for c in table]  # type: ignore[misc]


def pose_player(
    rng: np.random.Generator,
    own: Sequence[Hit],
    side: int,
    home: Home,
    times: np.ndarray,
    camera: Camera,
    *,
    racket: bool,
) -> Figure:
    """Let a player walk to every hit of theirs, and see them with the camera.

    Args:
        rng: draws build, handedness of the gait and where the player waits.
        own: the player's hits.
        side: -1 near, +1 far.
        home: where the player waits.
        times: `(frames,)` seconds.
        camera: sees the player.
        racket: whether they hold one; otherwise the hand meets the ball.
    """
    place = _walk(rng, own, side, home, times)
    grip = RACKET_GRIP if racket else 1.0
    joints = _bend(place, own, side, times, tall=rng.uniform(0.93, 1.08), grip=grip)

    def see(names: Sequence[str]) -> np.ndarray:
        flat = np.stack([joints[name] for name in names], axis=1)  # (frames, names, 2)
        across = place[:, None, :1] + flat[..., :1]
        along = np.broadcast_to(place[:, None, 1:], across.shape)
        return camera.project(np.concatenate([across, along, flat[..., 1:]], axis=-1))

    starts, ends = (see([str(part[index]) for part in PARTS]) for index in (1, 2))
    scale = camera.scale(np.insert(place, 2, 1.0, axis=1))
    return Figure(
        parts=np.stack([starts, ends], axis=2),
        radii=scale[:, None] * RADII,
        racket=see(["racket_hand", "strings"]),
        racket_radius=scale * RACKET_RADIUS * racket,
        distance=place[:, 1],
    )


def _walk(
    rng: np.random.Generator, own: Sequence[Hit], side: int, home: Home, times: np.ndarray
) -> np.ndarray:
    """Where the feet are: `(frames, 2)` metres."""
    keys = [(-1.0, home.x + rng.uniform(-0.5, 0.5), side * rng.uniform(home.front, home.back))]
    for index, hit in enumerate(own):
        # The racket hand is on the right: towards +x near the camera, towards -x beyond.
        keys.append((hit.time, hit.point[0] + side * 0.42, hit.point[1] + side * 0.25))
        later = own[index + 1].time if index + 1 < len(own) else hit.time + 2.0
        back = hit.time + 0.55 * (later - hit.time)
        across = home.x + rng.uniform(-0.6, 0.6)
        keys.append((back, across, side * rng.uniform(home.recover, home.back)))
    moments, across, along = np.array(keys).T
    before = np.clip(np.searchsorted(moments, times, side="right") - 1, 0, len(keys) - 1)
    after = np.minimum(before + 1, len(keys) - 1)
    share = (times - moments[before]) / np.maximum(moments[after] - moments[before], 1e-6)
    share = share.clip(0, 1)
    share = share * share * (3 - 2 * share)
    route = np.stack([across, along], axis=1)
    places: np.ndarray = route[before] + (route[after] - route[before]) * share[:, None]
    return places


def _bend(
    place: np.ndarray,
    own: Sequence[Hit],
    side: int,
    times: np.ndarray,
    *,
    tall: float,
    grip: float,
) -> dict[str, np.ndarray]:
    """Every joint as `(frames, 2)`: metres to the right of the feet, and above the floor."""
    swing, goal = np.zeros(len(times)), np.tile([-side * 0.5, 1.5], (len(times), 1))
    for hit in own:
        near = np.exp(-(((times - hit.time) / 0.13) ** 2))
        reach = np.stack([hit.point[0] - place[:, 0], np.full(len(times), hit.point[2])], axis=1)
        goal = np.where((near > swing)[:, None], reach, goal)
        swing = np.maximum(swing, near)
    step = np.diff(place, axis=0, prepend=place[:1])
    pace = np.hypot(step[:, 0], step[:, 1])
    gait = 2.6 * np.cumsum(pace)
    lively = np.minimum(pace / 0.08, 1.0)
    low = swing * np.clip(1.4 - goal[:, 1], 0, 1)
    hand_side = -side

    def at(across: np.ndarray | float, up: np.ndarray | float) -> np.ndarray:
        return np.stack(np.broadcast_arrays(across + 0 * gait, up * tall), axis=1)

    hip = 0.90 - 0.08 * lively - 0.28 * low
    lean = np.clip(step[:, 0] * 1.5, -0.2, 0.2) + 0.15 * hand_side * low
    joints: dict[str, np.ndarray] = {}
    for name, sign in (("free", -hand_side), ("racket", hand_side)):
        stride = np.sin(gait + (0 if name == "free" else np.pi))
        foot = sign * (0.15 + 0.22 * low) + 0.22 * lively * stride
        lift = 0.05 + 0.22 * lively * np.maximum(stride, 0)
        joints[f"{name}_hip"] = at(sign * 0.09, hip)
        joints[f"{name}_knee"] = at(foot * 0.8 + sign * 0.06, (hip + lift) * 0.5 + 0.03)
        joints[f"{name}_ankle"] = at(foot, lift + 0.06)
        joints[f"{name}_toe"] = at(foot + sign * 0.10, lift)
        joints[f"{name}_shoulder"] = at(sign * 0.14 + lean, hip + 0.46)
    joints["neck"] = at(lean, hip + 0.50)
    joints["head"] = at(lean * 1.2, hip + 0.72)
    joints["crown"] = at(lean * 1.2, hip + 0.78)

    # The racket rests in front of the player; in a swing it goes to where the shuttle is met.
    ready = at(hand_side * 0.42, hip + 0.45)
    strings = ready + (goal - ready) * swing[:, None]
    shoulder = joints["racket_shoulder"]
    way = strings - shoulder
    way = way / _length(way)
    hand = np.where(swing[:, None] > 0.3, shoulder + way * grip, at(hand_side * 0.34, hip + 0.12))
    joints["racket_hand"] = hand
    joints["strings"] = hand + (strings - hand) * np.clip(0.62 / _length(strings - hand), 0.3, 1)
    joints["racket_elbow"] = (shoulder + hand) / 2 + np.array([hand_side * 0.06, -0.06])
    joints["wrist"] = hand + (joints["racket_elbow"] - hand) * 0.3
    free = at(-hand_side * 0.34 + lean, hip + 0.15 + 0.45 * swing)
    joints["free_hand"] = free
    joints["free_elbow"] = (joints["free_shoulder"] + free) / 2 - np.array([hand_side * 0.07, 0.05])
    return joints


def _length(vectors: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.maximum(np.hypot(vectors[:, :1], vectors[:, 1:]), 1e-6)
    return lengths
