"""Sports: the court in metres, and what gravity, air and floor do to the ball.

A court has its origin on the floor under the middle of the net: x to the right, y away from the
camera, z up, all in metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras_tracknet.errors import InputError

GRAVITY = 9.81  # m/s^2

# left, right, near and far edge of a painted line, metres
Line = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sport:
    """A court and a ball.

    Attributes:
        name: as users write it.
        length, width: of the court between the outer edges of its outermost lines, metres.
        net_height: of the net's top edge in its middle, metres.
        net_depth: how far the net hangs down from there, metres.
        ball_radius: metres.
        drag: deceleration by the air, per metre: acceleration = drag * speed^2. For a ball it
            is density * drag coefficient * cross section / (2 * mass); a shuttlecock's follows
            from its terminal speed, gravity / speed^2.
        restitution: upright speed after a bounce over that before; 0 where the ball stays down.
        grip: speed along the floor after a bounce over that before.
        bounces: how often the ball may touch the floor before the rally is over.
        fastest: m/s, the fastest ball on record.
        between_hits: seconds between two hits at least.
        around: metres beyond the court that players hit from.
        lines: what is painted on the floor.
        landmarks: places on the floor that are easy to see, name to (x, y) in metres.
    """

    name: str
    length: float
    width: float
    net_height: float
    net_depth: float
    ball_radius: float
    drag: float
    restitution: float
    grip: float
    bounces: int
    fastest: float
    between_hits: float
    around: float
    lines: tuple[Line, ...]
    landmarks: dict[str, tuple[float, float]]


def find_sport(name: str) -> Sport:
    """Return the sport of a name.

    Raises:
        InputError: there is no such sport.
    """
    if name not in SPORTS:
        raise InputError(f"{name}: unknown sport; use one of {', '.join(SPORTS)}.")
    return SPORTS[name]


def _along(centres: tuple[float, ...], near: float, far: float, thick: float) -> list[Line]:
    """Lines in the direction of play."""
    return [(x - thick / 2, x + thick / 2, near, far) for x in centres]


def _across(centres: tuple[float, ...], half: float, thick: float) -> list[Line]:
    """Lines from side to side, in both halves of the court."""
    return [
        (-half, half, sign * y - thick / 2, sign * y + thick / 2)
        for y in centres
        for sign in (-1, 1)
    ]


def _landmarks(half_width: float, **rows: float) -> dict[str, tuple[float, float]]:
    """The ends of the lines from side to side, and of the net's shadow."""
    found = {"net_left": (-half_width, 0.0), "net_right": (half_width, 0.0)}
    for name, y in rows.items():
        prefix = "" if name == "corner" else f"{name}_"
        for end, sign in (("near", -1), ("far", 1)):
            found[f"{prefix}{end}_left"] = (-half_width, sign * y)
            found[f"{prefix}{end}_right"] = (half_width, sign * y)
    return found


def _make_badminton() -> Sport:
    """Laws of badminton; the shuttlecock as of Cohen et al. 2015, terminal speed 6.8 m/s."""
    length, width, thick = 13.4, 6.1, 0.04
    x, y, half = width / 2, length / 2, thick / 2
    lines = _along((-x + half, -x + 0.46, x - 0.46, x - half), -y, y, thick)
    lines += _across((y - half, y - 0.78, 1.98), x, thick)
    lines += [(-half, half, -y, -1.98), (-half, half, 1.98, y)]
    return Sport(
        name="badminton",
        length=length,
        width=width,
        net_height=1.55,
        net_depth=0.76,
        ball_radius=0.033,
        drag=GRAVITY / 6.8**2,
        restitution=0.0,
        grip=0.0,
        bounces=0,
        fastest=157.0,  # 565 km/h, 2023
        between_hits=0.2,
        around=2.0,
        lines=tuple(lines),
        landmarks=_landmarks(x, corner=y, service=1.98),
    )


def _make_tennis() -> Sport:
    """Rules of tennis; drag coefficient 0.55 (Mehta 1985), bounce of a hard court."""
    length, width, thick = 23.77, 10.97, 0.05
    x, y, half = width / 2, length / 2, thick / 2
    single = 8.23 / 2
    lines = _along((-x + half, -single + half, single - half, x - half), -y, y, thick)
    lines += _across((y - half,), x, thick) + _across((6.40 - half,), single, thick)
    lines += [(-half, half, -6.40, 6.40), (-half, half, -y, -y + 0.15), (-half, half, y - 0.15, y)]
    landmarks = _landmarks(x, corner=y)
    landmarks |= {f"single_{k}": v for k, v in _landmarks(single, corner=y).items()}
    landmarks |= {k: v for k, v in _landmarks(single, service=6.40).items() if "service" in k}
    return Sport(
        name="tennis",
        length=length,
        width=width,
        net_height=0.914,
        net_depth=0.914,
        ball_radius=0.033,
        drag=0.0202,
        restitution=0.74,
        grip=0.66,
        bounces=1,
        fastest=73.2,  # 263.4 km/h, 2012
        between_hits=0.35,
        around=8.0,
        lines=tuple(lines),
        landmarks=landmarks,
    )


def _make_volleyball() -> Sport:
    """Rules of volleyball; drag coefficient 0.3 at the speeds of play, men's net."""
    length, width, thick = 18.0, 9.0, 0.05
    x, y, half = width / 2, length / 2, thick / 2
    lines = _along((-x + half, x - half), -y, y, thick)
    lines += _across((y - half, 3.0 - half), x, thick)
    lines += [(-x, x, -half, half)]
    return Sport(
        name="volleyball",
        length=length,
        width=width,
        net_height=2.43,
        net_depth=1.0,
        ball_radius=0.105,
        drag=0.0231,
        restitution=0.72,
        grip=0.75,
        bounces=0,
        fastest=38.4,  # 138 km/h, 2021
        between_hits=0.2,
        around=8.0,
        lines=tuple(lines),
        landmarks=_landmarks(x, corner=y, attack=3.0),
    )


def _make_padel() -> Sport:
    """Rules of padel (FIP); ball and bounce as in tennis.

    The walls around the court are not modelled: a ball that comes back from one seems hit there.
    """
    length, width, thick = 20.0, 10.0, 0.05
    x, y, half, service = width / 2, length / 2, thick / 2, 6.95
    lines = _along((-x, x), -y, y, thick) + _across((y,), x, thick)  # the foot of the walls
    lines += _across((service,), x, thick)
    lines += [(-half, half, -service - 0.2, service + 0.2)]
    tennis = _make_tennis()
    return replace(
        tennis,
        name="padel",
        length=length,
        width=width,
        around=1.0,
        net_height=0.88,
        net_depth=0.88,
        lines=tuple(lines),
        landmarks=_landmarks(x, corner=y, service=service),
    )


SPORTS = {
    sport.name: sport
    for sport in (_make_badminton(), _make_tennis(), _make_volleyball(), _make_padel())
}
