"""Score test of a sum of means over independent strata: the one score test, for several tasks.

A stratum is counted (few possible values, as for right-or-wrong scores) or normal (a mean with an
estimated variance). Under the hypothesis that the means add up to zero the likelihood of all strata
is maximised together: one multiplier lambda moves counted cells to c / (n + lambda (v - m)) and a
normal mean to x - lambda V. Cells that were never seen may receive mass, so a stratum without a
single flip keeps a variance. With one counted stratum it is `score_test.score_z`; with normal ones
alone, Fieller's or Welch's statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from kdeval.stats.moments import FloatArray

__all__ = ["Strata", "stratified_z"]

_TINY = 1e-12
_NEWTON_STEPS = 60
_LARGEST_MULTIPLIER = 2.0**80


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """What was seen of D in every stratum.

    Attributes:
        values: Possible values of D in each counted stratum, shape (k, cells).
        counts: How often each was seen, shape (k, cells); need not be whole.
        means: Means of the normal strata, shape (m,).
        variances: Variances of those means, shape (m,).
        extra: Variance of each counted stratum's mean besides that of its cells, shape (k,).
    """

    values: FloatArray
    counts: FloatArray
    means: FloatArray
    variances: FloatArray
    extra: FloatArray


def stratified_z(strata: Strata) -> tuple[float, FloatArray]:
    """Signed statistic of "the means add up to zero", and each stratum's variance under it.

    The statistic is +-inf where the hypothesis is impossible. The variances are of the strata's
    means, counted strata first, shape (k + m,).
    """
    if not len(strata.counts):
        return _normal_z(strata)
    sizes = strata.counts.sum(axis=1)
    seen = (strata.values * strata.counts).sum(axis=1) / sizes
    total = float(seen.sum() + strata.means.sum())
    scale = float(np.abs(strata.values).max(initial=0.0) + np.abs(strata.means).max(initial=0.0))
    if abs(total) <= _TINY * scale:
        return 0.0, _variances(strata, sizes, strata.counts / sizes[:, None], seen)
    sign = math.copysign(1.0, total)
    values, means = sign * strata.values, sign * strata.means
    multiplier = _multiplier(values, strata.counts, sizes, means, strata.variances)
    if multiplier is None:
        return sign * math.inf, np.zeros(len(sizes) + len(means))
    masses = _masses(values, strata.counts, sizes, multiplier)
    variances = _variances(strata, sizes, masses, sign * (masses * values).sum(axis=1))
    spread = float(variances.sum())
    z = abs(total) / math.sqrt(spread) if spread > 0 else math.inf
    return sign * z, variances


def _normal_z(strata: Strata) -> tuple[float, FloatArray]:
    total, spread = float(strata.means.sum()), float(strata.variances.sum())
    if spread > 0:
        return total / math.sqrt(spread), strata.variances
    return (math.copysign(math.inf, total) if total else 0.0), strata.variances


def _variances(
    strata: Strata, sizes: FloatArray, masses: FloatArray, means: FloatArray
) -> FloatArray:
    """Of the strata's means, with these probabilities of the cells."""
    spread = (masses * (strata.values - means[:, None]) ** 2).sum(axis=1) / sizes
    return np.concatenate([spread + strata.extra, strata.variances])


def _multiplier(
    values: FloatArray,
    counts: FloatArray,
    sizes: FloatArray,
    means: FloatArray,
    variances: FloatArray,
) -> float | None:
    """The lambda at which the means add up to zero; None where none does."""

    def excess(multiplier: float) -> float:
        masses = _masses(values, counts, sizes, multiplier)
        return float((masses * values).sum() + (means - multiplier * variances).sum())

    high = 1.0
    while excess(high) > 0:
        high *= 4
        if high > _LARGEST_MULTIPLIER:
            return None
    return float(brentq(excess, 0.0, high, xtol=1e-12 * high, rtol=1e-9))


def _masses(
    values: FloatArray, counts: FloatArray, sizes: FloatArray, multiplier: float
) -> FloatArray:
    """Most likely probabilities of the cells at that multiplier, shape (k, cells).

    They are counts / (a + multiplier x values), each row with the a at which they sum to 1: found
    by Newton's method on 1 / sum, which is concave, so that the steps never go too far. Where even
    the smallest a leaves them below 1, the rest lies on the lowest cell, which was never seen.
    """
    if multiplier == 0:
        return counts / sizes[:, None]
    lifted = multiplier * (values - values.min(axis=1, keepdims=True))
    lowest = lifted == 0
    shift = (counts * lowest).sum(axis=1)
    for _ in range(_NEWTON_STEPS):
        terms = np.divide(
            counts, shift[:, None] + lifted, out=np.zeros_like(counts), where=counts > 0
        )
        total = terms.sum(axis=1)
        slope = np.divide(terms**2, counts, out=np.zeros_like(counts), where=counts > 0).sum(axis=1)
        step = np.where(total > 1, (total - 1) * total / slope, 0.0)
        shift += step
        if (step <= 1e-13 * (shift + multiplier)).all():
            break
    masses: FloatArray = np.divide(
        counts, shift[:, None] + lifted, out=np.zeros_like(counts), where=counts > 0
    )
    rest = np.maximum(1 - masses.sum(axis=1), 0.0)
    masses += rest[:, None] * lowest / lowest.sum(axis=1, keepdims=True)
    return masses
