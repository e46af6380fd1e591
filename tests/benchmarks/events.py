"""How well events are found in rallies whose truth is known.

    python tests/benchmarks/events.py --rallies 10 --first-seed 100

Prints for each rally, and in the end for each sport, how many hits, bounces and landings there
are and were found, and precision and recall within two frames: for exact tracks, and for tracks
with 1 pixel of noise and a tenth of the positions missing.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers_rallies import SIZE, count_matches, simulate, spoil_track

from keras_tracknet.analysis.events import find_events
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.config import RENDERED
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING

TWO_FRAMES = 2 / 30
CONDITIONS = {"exact": (0.0, 0.0), "1 px, 10 % missing": (1.0, 0.1)}
KINDS = (HIT, BOUNCE, LANDING)


def measure_events(sport: str, seed: int, noise: float, missing: float) -> Counter:
    """Count events of one rally: (real, found or right, kind) to their number."""
    rally = simulate(sport, seed)
    track = spoil_track(rally.track, noise=noise, missing=missing, seed=seed)
    events = find_events(track, SIZE, SPORTS[sport]).events
    counts: Counter = Counter()
    for kind in KINDS:
        real = [event for event in rally.events if event.kind == kind]
        found = [event for event in events if event.kind == kind]
        counts["real", kind] += len(real)
        counts["found", kind] += len(found)
        counts["right", kind] += count_matches(real, found, TWO_FRAMES)
    return counts


def show_row(name: str, counts: Counter, kinds: tuple[str, ...]) -> str:
    """Return a line of the table."""
    real, found, right = (
        sum(counts[what, kind] for kind in kinds) for what in ("real", "found", "right")
    )
    precision = f"{right / found:9.3f}" if found else f"{'-':>9}"
    recall = f"{right / real:9.3f}" if real else f"{'-':>9}"
    return f"{name:<40}{real:7}{found:7}{precision}{recall}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rallies", type=int, default=10, help="of each sport")
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--sport", choices=RENDERED, action="append")
    options = parser.parse_args()
    table: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for seed in range(options.first_seed, options.first_seed + options.rallies):
        for sport in options.sport or RENDERED:
            for name, spoiling in CONDITIONS.items():
                began = time.process_time()
                counts = measure_events(sport, seed, *spoiling)
                seconds = time.process_time() - began
                print(show_row(f"{sport} {seed}, {name}", counts, KINDS), f"{seconds:7.1f} s")
                table[sport, name] += counts
                table["all", name] += counts
    print(f"{'':<40}{'real':>7}{'found':>7}{'precision':>10}{'recall':>8}")
    for (sport, name), counts in sorted(table.items(), key=lambda item: item[0][1]):
        print(show_row(f"{sport}, {name}", counts, KINDS))
        for kind in KINDS:
            if counts["real", kind] + counts["found", kind]:
                print(show_row(f"  {kind}", counts, (kind,)))
