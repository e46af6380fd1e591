"""Play: what happens in a tracked video, kept beside its track for the timeline."""

from __future__ import annotations

import csv
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from keras_tracknet.analysis.events import find_events
from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json, write_json
from keras_tracknet.presets import list_own_presets, list_presets
from keras_tracknet.sports import SPORTS, find_sport
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video.reader import probe_video

NAME = "play.json"
DEFAULT_SPORT = "badminton"


def note_play(source: Path, folder: Path, weights: str) -> None:
    """Find hits, bounces and rallies in a video's track and write them to its folder.

    A track that says nothing about the play, such as an empty one, has none.

    Args:
        source: the video.
        folder: where its `track.csv` and `shots.csv` are.
        weights: that it was tracked with; they say which sport it is.
    """
    track, info = read_track(folder / "track.csv"), probe_video(source)
    cuts = read_cuts(folder)
    play: dict[str, Any] = {"cuts": cuts, "events": [], "rallies": []}
    with suppress(InputError, ValueError):
        times = track.seconds(float(info.fps))
        found = find_events(
            track,
            (info.height, info.width),
            find_sport(find_weights_sport(weights)),
            fps=float(info.fps),
            cuts=[times[frame] for frame in cuts if frame < len(times)],
        )
        play["events"] = [
            {name: _show(value) for name, value in event._asdict().items()}
            for event in found.events
        ]
        play["rallies"] = [
            {"number": rally.number, "start": rally.start, "end": rally.end}
            for rally in found.rallies
        ]
    write_json(play, folder / NAME)


def read_play(folder: Path) -> dict[str, Any]:
    """Return what `note_play` wrote; nothing where it did not."""
    with suppress(OSError, InputError):
        return read_json(folder / NAME)
    return {"cuts": [], "events": [], "rallies": []}


def read_cuts(folder: Path) -> list[int]:
    """Return the first frame of every camera shot but the first, as tracking found them."""
    with suppress(OSError, KeyError, ValueError), open(folder / "shots.csv", newline="") as file:
        return [int(row["FirstFrame"]) for row in csv.DictReader(file)][1:]
    return []


def find_weights_sport(weights: str) -> str:
    """Return the sport that weights track; badminton where they do not say."""
    preset = {**list_presets(), **list_own_presets()}.get(weights)
    sport = preset.sport if preset is not None else ""
    return sport if sport in SPORTS else DEFAULT_SPORT


def _show(value: Any) -> Any:
    """Return a value as JSON has it: nothing for a number that is unknown."""
    if isinstance(value, str):
        return value
    number = float(value)
    return None if math.isnan(number) else (int(number) if number.is_integer() else number)
