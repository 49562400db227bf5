"""Intervals for real scores whose far tails can be trusted: the score test, tilted to the null.

A t interval takes the spread that was seen. With skewed scores its tails are several times too
light, the more so the higher the level, so that several looks at growing data add up to a false
pass too often. Here the spread is that under the hypothesis: the samples are reweighted until
"the mean of D = S - theta T is zero" holds (maximum empirical likelihood, Owen 1988), where the
worst that one sample can do may get weight without having been seen. For right-or-wrong scores this
is the score test of `score_test`, whose intervals those use already.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from kdeval.stats.critical import normal_critical, t_critical
from kdeval.stats.moments import FloatArray, IntArray
from kdeval.stats.score_test import invert

__all__ = ["METHOD", "mean_limits", "ratio_limits", "tilted_z"]

METHOD = "score test tilted to the null (empirical likelihood)"

Limits = tuple[float | None, float | None]
Range = tuple[float | None, float | None]


def tilted_z(values: FloatArray, lowest: float | None = None) -> float:
    """Signed score statistic of "the mean of these values is zero", for a mean of at least zero.

    Args:
        values: D of the independent units, shape (n,).
        lowest: The least that a unit can have, where that is below all that was seen.

    Returns:
        The statistic; infinite where no weights make the mean zero.
    """
    mean = float(values.mean())
    if mean <= 0:
        return 0.0
    least = float(values.min()) if lowest is None else min(lowest, float(values.min()))
    if least >= 0:
        return math.inf
    share = values / least
    at_least = share > 1 - 1e-12
    above, part = values[~at_least], share[~at_least]
    seen, n = float(at_least.mean()), len(values)

    def likelihood_equation(t: float) -> float:
        rest = float((above / (1 - t * part)).sum()) / n
        return rest * (1 - t) + seen * least if seen else rest

    t = 1.0
    if likelihood_equation(1.0) < 0:
        t = brentq(likelihood_equation, 0.0, 1.0, xtol=1e-13)
    weights = 1 / (1 - t * part) / n
    at_lowest = float(weights @ above) / -least
    variance = float(weights @ above**2) + at_lowest * least**2
    return mean * math.sqrt(n / variance)


def ratio_limits(
    student: FloatArray,
    teacher: FloatArray,
    clusters: IntArray | None,
    *,
    highest: float | None,
    confidence: float,
) -> Limits:
    """Ends of the interval for mean(S) / mean(T), scores from 0 to `highest` (None: unbounded)."""
    s, t = _units(student, clusters), _units(teacher, clusters)

    def statistic(theta: float) -> float:
        d = s - theta * t
        if d.mean() >= 0:
            return tilted_z(d, None if highest is None else -theta * highest)
        return -tilted_z(-d, None if highest is None else -highest)

    estimate = float(s.sum() / t.sum())
    return _inverted(statistic, estimate, len(s), clusters, confidence, (0.0, None))


def mean_limits(
    values: FloatArray, clusters: IntArray | None, *, value_range: Range, confidence: float
) -> Limits:
    """Ends of the interval for the mean of values in that range; an open side is None."""
    x, sizes = _units(values, clusters), _units(np.ones_like(values), clusters)
    low, high = value_range

    def statistic(mean: float) -> float:
        d = x - mean * sizes
        if d.mean() >= 0:
            return tilted_z(d, None if low is None else low - mean)
        return -tilted_z(-d, None if high is None else mean - high)

    estimate = float(x.sum() / sizes.sum())
    return _inverted(statistic, estimate, len(x), clusters, confidence, value_range)


def _inverted(
    statistic: Callable[[float], float],
    estimate: float,
    units: int,
    clusters: IntArray | None,
    confidence: float,
    domain: Range,
) -> Limits:
    if units < 2:
        return None, None
    critical = (
        normal_critical(confidence) if clusters is None else t_critical(confidence, units - 1)
    )
    return invert(
        statistic, estimate=estimate, critical=critical, floor=domain[0], ceiling=domain[1]
    )


def _units(values: FloatArray, clusters: IntArray | None) -> FloatArray:
    if clusters is None:
        return values
    sums: FloatArray = np.bincount(clusters, weights=values).astype(np.float64)
    return sums
