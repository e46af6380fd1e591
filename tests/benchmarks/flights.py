"""How well flights in space are measured in rendered rallies, whose truth is known.

    python tests/benchmarks/flights.py --rallies 20 --first-seed 500

Prints for each sport, with 1 pixel of noise, how many hits have a flight in space; the median error
of the speed at the racket, of the landing and of the height over the net; and how many of the true
values lie within one standard deviation. Then kinds of shots: the real ones in rows, those found in
columns. Ball and floor differ a little from rally to rally, by what the fit expects.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers_flights import compare_flights, summarise

from keras_tracknet.analysis.strokes import KINDS

UNKNOWN = "-"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rallies", type=int, default=20, help="of each sport")
    parser.add_argument("--first-seed", type=int, default=500)
    parser.add_argument("--sport", choices=KINDS, action="append")
    parser.add_argument("--noise", type=float, default=1.0, help="of positions, pixels")
    parser.add_argument("--mark-noise", type=float, default=0.0, help="of court marks, pixels")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.rallies)
    for sport in options.sport or ("badminton", "tennis"):
        found = []
        for seed in seeds:
            settings = {"noise": options.noise, "mark_noise": options.mark_noise}
            found += compare_flights(sport, seed, **settings)
            print(f"{sport} {seed}: {len(found)} hits so far", file=sys.stderr)
        known = sum(c.stroke.flight is not None for c in found)
        print(f"{sport}: {known} of {len(found)} hits have a flight in space")
        print(f"{'':<12}{'number':>8}{'error':>8}{'coverage':>10}")
        for name, summary in summarise(found).items():
            print(f"{name:<12}{summary.number:8}{summary.error:8.3f}{summary.coverage:10.2f}")
        sides = [c.stroke.player == ("near" if c.hit.side < 0 else "far") for c in found]
        print(f"right player: {sum(sides)} of {len(sides)}")
        counts = Counter((c.hit.kind, c.stroke.kind or UNKNOWN) for c in found if c.hit.kind)
        columns = [*KINDS[sport], UNKNOWN]
        if counts:
            print(f"{'':<14}" + "".join(f"{name:>14}" for name in columns))
        for real in sorted({kind for kind, _ in counts}, key=columns.index):
            print(f"{real:<14}" + "".join(f"{counts[real, name]:14}" for name in columns))
