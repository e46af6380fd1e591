"""Zones: thirds of a half of the court, as the player who stands there sees them."""

from __future__ import annotations

import numpy as np

from keras_tracknet.sports import Sport

NEAR, FAR = "near", "far"
DEPTHS = ("front", "middle", "back")  # from the net to the end of the court
SIDES = ("left", "centre", "right")


def find_side(place: np.ndarray) -> str:
    """Return `near` or `far`: the half of the court that a place in metres is in."""
    return NEAR if place[1] < 0 else FAR


def name_zone(place: np.ndarray, sport: Sport) -> str:
    """Return the zone of a place, such as `back left`; what is outside belongs to the next zone.

    Args:
        place: `(2,)` metres of the court, or `(3,)`.
        sport: whose court it is.

    Example:
        >>> from keras_tracknet.sports import find_sport
        >>> name_zone(np.array([2.5, 6.0]), find_sport("badminton"))
        'back left'
    """
    facing = -np.sign(place[1]) or 1.0  # the far player's right is the camera's left
    deep = abs(float(place[1])) / (sport.length / 2)
    across = facing * float(place[0]) / sport.width + 0.5
    depth, side = (int(np.clip(share * 3, 0, 2)) for share in (deep, across))
    return f"{DEPTHS[depth]} {SIDES[side]}"
