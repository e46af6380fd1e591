"""Segments: a track cut into flights and rests, at the moments where something touched the ball.

The cuts are those that explain the positions best: every flight must be one that gravity and air
allow, and every cut has to earn its keep (the Bayesian information criterion), so that there is
no threshold on angles or speeds to tune. The best cuts are found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.flights import GOOD, Flight, Stretch, fit_flights
from keras_tracknet.sports import Sport

FLIGHT_PARAMETERS = 7  # place, velocity, and when it begins
REST_PARAMETERS = 5  # position and drift in the picture, and when it begins
REST_SPEED = 1.5  # m/s; a ball that is carried or lies there is slower
# Neighbouring positions are wrong together, since no ball flies quite as computed, so that this
# many of them say as much as one would alone.
RELATED = 1.5
LONGEST_FLIGHT = 4.0  # seconds
LONGEST_GAP = 2.0  # seconds without a position within a flight
WINDOWS = (3, 6)  # positions on either side of a possible cut that it is judged by
BENT = 4  # positions; over more a flight is bent
LEAST_KINK = 9.0  # chi squared of a change of direction that makes a cut possible
POOR = 12.0  # mean squared misfit, in standard deviations, at which a longer flight is no use
LEAST_POSITIONS = 2
BATCH = 512  # stretches that are explained at once: as many as fit into 200 MB


@dataclass(frozen=True)
class Segment:
    """A stretch of the track between two cuts.

    Attributes:
        first, last: indices of its first and last position among those that were cut.
        start, end: their times, seconds.
        flight: how the ball flew; None where it lay or was carried.
        drift: `(2, 2)` position in pixels at the start and its change per second, of a rest.
        misfit: see `Flight`.
    """

    first: int
    last: int
    start: float
    end: float
    flight: Flight | None
    drift: np.ndarray
    misfit: float

    def locate(self, times: np.ndarray) -> np.ndarray:
        """Where the ball is, or would be before and after: `(times, 2)` pixels."""
        if self.flight is not None:
            return self.flight.locate(times)
        since = np.atleast_1d(times) - self.start
        places: np.ndarray = self.drift[0] + since[:, None] * self.drift[1]
        return places


class Segmenter:
    """Cuts positions into segments.

    Args:
        times: `(positions,)` seconds, ascending.
        positions: `(positions, 2)` pixels.
        error: standard deviation of a position, pixels.
        sport: gives the drag.
        view: sees the flights.
    """

    def __init__(
        self, times: np.ndarray, positions: np.ndarray, error: float, sport: Sport, view: View
    ) -> None:
        self.times, self.positions, self.error = times, positions, error
        self.sport, self.view = sport, view
        self._known: dict[tuple[int, int], Segment | None] = {}
        self._tried: set[tuple[int, int, int]] = set()
        # What one parameter costs, in units of chi squared.
        self.cost = RELATED * np.log(2 * max(len(times), 8))

    def segment(self) -> list[Segment]:
        """Return the segments, in the order of time."""
        if len(self.times) < LEAST_POSITIONS:
            return []
        cuts = [0, *self._find_kinks(), len(self.times)]
        self._explain_stretches(cuts)
        best = np.full(len(cuts), np.inf)
        best[0] = 0.0
        came = [0] * len(cuts)
        for start, stop in combinations(range(len(cuts)), 2):
            price = best[start] + self._price(cuts[start], cuts[stop])
            if price < best[stop]:
                best[stop], came[stop] = price, start
        path = [len(cuts) - 1]
        while path[-1]:
            path.append(came[path[-1]])
        stretches = [(cuts[a], cuts[b]) for b, a in pairwise(path)][::-1]
        return self._merge(self._split(stretches))

    def _split(self, stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Cut where no kink shows: a ball that is hit towards the camera may just go on slower."""
        done: list[tuple[int, int]] = []
        while stretches:
            first, stop = stretches.pop()
            inner = range(first + LEAST_POSITIONS, stop - LEAST_POSITIONS + 1)
            whole = self._price(first, stop)
            if not inner or whole < 2 * FLIGHT_PARAMETERS * self.cost:  # what two cost at least
                done.append((first, stop))
                continue
            self.explain([pair for cut in inner for pair in ((first, cut), (cut, stop))])
            prices = [self._price(first, cut) + self._price(cut, stop) for cut in inner]
            cut = inner[int(np.argmin(prices))]
            if min(prices) < whole:
                stretches += [(first, cut), (cut, stop)]
            else:
                done.append((first, stop))
        return done[::-1]

    def _merge(self, stretches: list[tuple[int, int]]) -> list[Segment]:
        """Take back the cuts that are not needed when the fit begins from either side of them."""
        while True:
            pairs = [(a, c) for (a, _), (_, c) in pairwise(stretches)]
            self._explain_again([(a, b, c) for (a, b), (_, c) in pairwise(stretches)])
            costs = [self._price(*stretch) for stretch in stretches]
            gains = [costs[k] + costs[k + 1] - self._price(*pair) for k, pair in enumerate(pairs)]
            if not gains or max(gains) <= 0:
                found = (self._known.get(stretch) for stretch in stretches)
                return [segment for segment in found if segment is not None]
            best = gains.index(max(gains))
            stretches[best : best + 2] = [pairs[best]]

    def _explain_again(self, cases: Sequence[tuple[int, int, int]]) -> None:
        """Explain stretches with what is known of their parts before and after a cut.

        Args:
            cases: indices of the first position, of that behind the cut, and of the one after
                the last.
        """
        new = [case for case in cases if case not in self._tried]
        self._tried.update(new)
        for side in range(2):
            pairs, guesses = [], []
            for first, cut, stop in new:
                part = self._known.get(((first, cut), (cut, stop))[side])
                short = self.times[stop - 1] - self.times[first] <= LONGEST_FLIGHT
                if short and part is not None and part.flight is not None:
                    pairs.append((first, stop))
                    guesses.append(part.flight.trace(self.times[first])[0])
            before = [self._known.pop(pair, None) for pair in pairs]
            self._explain_new(pairs, guesses, good=0.0)
            for pair, old in zip(pairs, before, strict=True):
                found = self._known[pair]
                if old is not None and (found is None or old.misfit <= found.misfit):
                    self._known[pair] = old

    def explain(self, stretches: Sequence[tuple[int, int]]) -> list[Segment | None]:
        """Return the better of flight and rest for each stretch; None where it can be neither.

        Args:
            stretches: indices of the first position, and of the one after the last.
        """
        new = [pair for pair in stretches if pair not in self._known]
        self._explain_new(new, [None] * len(new))
        return [self._known[pair] for pair in stretches]

    def _explain_stretches(self, cuts: list[int]) -> None:
        """Explain every stretch between cuts that is worth it, the shortest first."""
        states: dict[int, np.ndarray] = {}  # first position to the flight from there so far
        alive = list(range(len(cuts) - 1))
        for length in range(1, len(cuts)):
            alive = [a for a in alive if a + length < len(cuts)]
            pairs = [(cuts[a], cuts[a + length]) for a in alive]
            long = [self.times[b - 1] - self.times[a] > LONGEST_FLIGHT for a, b in pairs]
            alive = [a for a, over in zip(alive, long, strict=True) if not over]
            pairs = [pair for pair, over in zip(pairs, long, strict=True) if not over]
            if not pairs:
                return
            tried = [pair for pair in pairs if pair[1] - pair[0] >= LEAST_POSITIONS]
            self._explain_new(tried, [states.get(a) for a, _ in tried])
            for pair in tried:
                found = self._known[pair]
                if found is not None and found.flight is not None:
                    states[pair[0]] = found.flight.state
            alive = [a for a, pair in zip(alive, pairs, strict=True) if self._is_hopeful(pair)]

    def _is_hopeful(self, pair: tuple[int, int]) -> bool:
        """Whether a longer stretch may be a flight or a rest."""
        count = pair[1] - pair[0]
        if count < LEAST_POSITIONS:
            return True
        found = self._known[pair]
        return found is not None and found.misfit < max(POOR * count, 4 * self.cost)

    def _price(self, first: int, stop: int) -> float:
        if stop - first < LEAST_POSITIONS:  # taken as a false detection
            return float((stop - first) * POOR + 2 * self.cost)
        segment = self._known.get((first, stop))
        if segment is None:
            return np.inf
        number = REST_PARAMETERS if segment.flight is None else FLIGHT_PARAMETERS
        return float(segment.misfit + number * self.cost)

    def _explain_new(
        self,
        pairs: Sequence[tuple[int, int]],
        guesses: Sequence[np.ndarray | None],
        *,
        good: float = GOOD,
    ) -> None:
        if len(pairs) > BATCH:
            for low in range(0, len(pairs), BATCH):
                some = slice(low, low + BATCH)
                self._explain_new(pairs[some], guesses[some], good=good)
            return
        parts = [Stretch(self.times[a:b], self.positions[a:b]) for a, b in pairs]
        whole = [np.diff(part.times).max() <= LONGEST_GAP for part in parts]
        flights = iter(
            fit_flights(
                [part for part, fine in zip(parts, whole, strict=True) if fine],
                self.error,
                self.sport,
                self.view,
                guesses=[guess for guess, fine in zip(guesses, whole, strict=True) if fine],
                good=good,
            )
        )
        penalty = (FLIGHT_PARAMETERS - REST_PARAMETERS) * self.cost
        for (a, b), part, fine in zip(pairs, parts, whole, strict=True):
            flight = next(flights) if fine else None
            rest = self._rest(part.times, part.positions) if fine else None
            span = (a, b - 1, float(part.times[0]), float(part.times[-1]))
            found = None
            if rest is not None and (flight is None or rest[1] < flight.misfit + penalty):
                found = Segment(*span, None, *rest)
            elif flight is not None:
                found = Segment(*span, flight, np.full((2, 2), np.nan), flight.misfit)
            self._known[a, b] = found

    def _rest(self, times: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, float] | None:
        seconds = times - times[0]
        drift = np.polynomial.polynomial.polyfit(seconds, positions, 1)
        if np.hypot(*drift[1]) > REST_SPEED * self.view.focal / self.view.distance:
            return None
        away = np.linalg.norm(drift[0] + seconds[:, None] * drift[1] - positions, axis=1)
        return drift, float(((away / self.error) ** 2).sum())

    def _find_kinks(self) -> list[int]:
        """Indices of the positions before which something may have touched the ball."""
        found = set()
        steps = np.diff(self.times)
        usual = np.median(steps)
        found.update((np.flatnonzero(steps > 2.5 * usual) + 1).tolist())
        for window in WINDOWS:
            strength = np.array([self._measure_kink(k, window) for k in range(len(self.times))])
            padded = np.pad(strength, 1)
            peaks = (strength >= padded[:-2]) & (strength >= padded[2:]) & (strength > LEAST_KINK)
            found.update(np.flatnonzero(peaks).tolist())
        return sorted(found - {0, len(self.times)})

    def _measure_kink(self, index: int, window: int) -> float:
        """Chi squared of a sudden change of velocity just before a position."""
        low, high = max(index - window, 0), min(index + window, len(self.times))
        if index - low < 2 or high - index < 2:
            return 0.0
        times = self.times[low:high] - (self.times[index - 1] + self.times[index]) / 2
        columns = [np.ones_like(times), times, np.maximum(times, 0)]
        if window > BENT:
            columns.append(times**2)
        design = np.stack(columns, axis=1)
        inverse = np.linalg.pinv(design)
        change = inverse[2] @ self.positions[low:high]
        return float((change**2).sum() / (self.error**2 * (inverse[2] ** 2).sum()))
