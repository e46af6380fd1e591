"""The part of the report for the players: what each of them hits, from where and to where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.report import charts
from keras_tracknet.analysis.report.floor import Floor
from keras_tracknet.analysis.report.scene import choose_size
from keras_tracknet.analysis.shots import UNKNOWN, Shot, measure_speed
from keras_tracknet.video.images import embed_image

NAMES = {"near": "Near player", "far": "Far player", "": "Unknown player"}
BLANK = 232  # grey of a picture that is missing


def list_players(
    analysis: Analysis, shots: dict[int, list[Shot]], scene: np.ndarray | None
) -> list[dict[str, Any]]:
    """Return the counts and the heat maps of each player.

    Args:
        analysis: of the video.
        shots: of each rally.
        scene: `(height, width, 3)` uint8 RGB, what the maps of the picture stand on.
    """
    listed = [shot for own in shots.values() for shot in own]
    by_player = any(shot.stroke.player for shot in listed)
    players = []
    for player, name in NAMES.items():
        own = [shot for shot in listed if shot.stroke.player == player]
        if own:
            maps = _draw_floors(analysis, own)
            if not maps and (player or not by_player):
                maps = [_draw_picture(analysis, own, scene)]
            players.append(
                {"name": name, "colour": charts.PLAYER_COLOURS[player]}
                | _count(own)
                | {"maps": maps}
            )
    return players


def _count(shots: Sequence[Shot]) -> dict[str, Any]:
    flights = [shot.stroke.flight for shot in shots if shot.stroke.flight]
    speeds = [speed for shot in shots if (speed := measure_speed(shot)) is not None]
    heights = [f.net_height for f in flights if np.isfinite(f.net_height)]
    kinds = Counter(shot.stroke.kind for shot in shots if shot.stroke.kind)
    return {
        "shots": len(shots),
        "kinds": ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or UNKNOWN,
        "fastest": f"{max(speeds):.0f}" if speeds else UNKNOWN,
        "usual": f"{np.median(speeds):.0f}" if speeds else UNKNOWN,
        "net": f"{np.median(heights):.2f}" if heights else UNKNOWN,
    }


def _draw_floors(analysis: Analysis, shots: Sequence[Shot]) -> list[tuple[str, Markup]]:
    """Draw from where a player hits and to where, on the court; empty if that is unknown."""
    if analysis.court is None or all(shot.origin is None for shot in shots):
        return []
    maps = []
    for title, ends in (
        ("hits from", [shot.origin for shot in shots]),
        ("hits to", [shot.target for shot in shots]),
    ):
        places = np.array([place for place in ends if place is not None]).reshape(-1, 2)
        if len(places):
            floor = Floor(analysis.court, places)
            known = "1 shot" if len(places) == 1 else f"{len(places)} shots"
            maps.append((f"{title} ({known})", floor.draw_heat(places)))
    return maps


def _draw_picture(
    analysis: Analysis, shots: Sequence[Shot], scene: np.ndarray | None
) -> tuple[str, Markup]:
    """Draw where the ball of a player's shots is in the picture."""
    times = analysis.velocity.time
    own = np.zeros(len(times), bool)
    for shot in shots:
        own |= (times >= shot.time) & (times <= shot.until)
    positions = analysis.track.positions[own & analysis.track.visibility]
    base = np.full((*choose_size(analysis.size), 3), BLANK, np.uint8) if scene is None else scene
    image = embed_image(charts.draw_heat_map(positions, analysis.size, base))
    return "(ball in the picture)", Markup(f'<img class="wide" src="{image}" alt="heat map">')
