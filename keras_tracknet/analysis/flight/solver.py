"""Many small least-squares problems of one kind, solved at once.

SciPy solves one problem at a time; a track asks for thousands of six parameters each, and nearly
all of that time would go into calling functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ROUNDS = 25
NUDGE = 1e-4  # of a parameter, for derivatives
SETTLED = 1e-3  # relative gain below which a problem is solved
FIRST_DAMPING, LEAST_DAMPING, GREATEST_DAMPING = 1e-2, 1e-7, 1e5


class Solutions(NamedTuple):
    """Parameters `(problems, parameters)`, and what is left of the misfit `(problems,)`."""

    parameters: np.ndarray
    misfit: np.ndarray


# (indices of the problems, parameters (problems, variants, parameters)) ->
# residuals (problems, variants, residuals)
Miss = Callable[[np.ndarray, np.ndarray], np.ndarray]


def solve_many(miss: Miss, start: np.ndarray, *, outlier: float, firm: int) -> Solutions:
    """Minimise the soft-L1 loss of many problems (Levenberg 1944, Marquardt 1963).

    Args:
        miss: gives the residuals in standard deviations.
        start: `(problems, parameters)`.
        outlier: residual at which the loss turns from square to linear.
        firm: how many of the last residuals keep to the square: they are no observations.

    Returns:
        The misfit is about the sum of squared residuals.
    """
    best, lowest = start.copy(), np.full(len(start), np.inf)
    trial, damping = start.copy(), np.full(len(start), FIRST_DAMPING)
    normal = np.zeros((len(start), start.shape[1], start.shape[1]))
    slope = np.zeros_like(start)
    active = np.arange(len(start))
    nudges = np.vstack([np.zeros(start.shape[1]), NUDGE * np.eye(start.shape[1])])
    for _ in range(ROUNDS):
        found = np.nan_to_num(miss(active, trial[active][:, None] + nudges), nan=1e6)
        residuals = found[:, 0]
        square = 1 + (residuals / outlier) ** 2
        loss = 2 * outlier**2 * (np.sqrt(square) - 1)
        loss[:, -firm:] = residuals[:, -firm:] ** 2
        trust = square**-0.5
        trust[:, -firm:] = 1.0
        cost = loss.sum(axis=1)

        better = cost < lowest[active]
        gain = (lowest[active] - cost) / np.maximum(cost, 1.0)
        good = active[better]
        best[good], lowest[good] = trial[good], cost[better]
        change = (found[better, 1:] - found[better, :1]) / NUDGE
        weighted = change * trust[better][:, None]
        normal[good] = weighted @ change.transpose(0, 2, 1)
        slope[good] = np.einsum("pir,pr->pi", weighted, residuals[better])
        damping[active] = np.where(better, damping[active] / 6, damping[active] * 5)
        damping = damping.clip(LEAST_DAMPING, None)

        done = (better & (gain < SETTLED)) | (damping[active] > GREATEST_DAMPING)
        active = active[~done]
        if not len(active):
            break
        scale = np.einsum("pii->pi", normal[active]) + 1e-12
        damped = normal[active] + (damping[active, None] * scale)[:, None] * np.eye(start.shape[1])
        trial[active] = best[active] - np.linalg.solve(damped, slope[active][..., None])[..., 0]
    return Solutions(best, lowest)
