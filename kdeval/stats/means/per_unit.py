"""An amount per unit over samples of different size: divergence per token, bits per byte.

A test of mean(A - theta U) = 0 over whole samples, inverted as everywhere in this package. Amounts
per token are skewed, a few texts hold most of them, and a plain t interval then misses above three
times as often as it says (n = 50); Hall's transformation takes the skewness out of t.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.critical import t_critical
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, IntArray, as_clusters, as_scores
from kdeval.stats.score_test import invert

__all__ = ["per_unit"]

_METHOD = "ratio of sums, Hall t"


def per_unit(
    amounts: ArrayLike,
    units: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    low: float | None = None,
    high: float | None = None,
) -> Interval:
    """Sum of amounts over sum of units, with an interval in which whole samples are independent.

    Tokens of one text depend on each other, so a text counts as one sample however long it is.
    For a difference of two models give the difference of their amounts: both read the same units.

    Args:
        amounts: one total a sample, shape (n,).
        units: how many units each sample has, shape (n,); positive.
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.
        low: the least that the ratio can be, None: no limit.
        high: the most.

    Returns:
        The interval; ends are None below two samples (clusters), and where no sample differs from
        another, which says nothing of those to come.

    Raises:
        ValueError: shapes differ, a value is not finite, or a sample has no unit.

    Source: Hall (1992), JRSS-B 54, "On the removal of skewness by transformation".
    """
    check_confidence(confidence)
    a, u = as_scores(amounts, "amounts"), as_scores(units, "units")
    if a.shape != u.shape:
        raise ValueError(f"{len(a)} amounts and {len(u)} units; they must be of the same samples")
    if (u <= 0).any():
        raise ValueError("a sample without a unit has no amount per unit; leave it out")
    codes = as_clusters(clusters, len(a))
    n = len(a)
    if n == 0:
        return unknown("no samples", confidence=confidence, method=_METHOD, n=0)
    if codes is not None:
        a, u = _by_cluster(a, codes), _by_cluster(u, codes)
    ends, reason = _ends(a, u, confidence, low, high)
    return Interval(
        estimate=float(a.sum() / u.sum()),
        low=ends[0],
        high=ends[1],
        confidence=confidence,
        method=_METHOD,
        n=n,
        clusters=None if codes is None else len(a),
        reason=reason,
    )


def _by_cluster(values: FloatArray, codes: IntArray) -> FloatArray:
    sums: FloatArray = np.bincount(codes, weights=values).astype(np.float64)
    return sums


def _ends(
    a: FloatArray, u: FloatArray, confidence: float, low: float | None, high: float | None
) -> tuple[tuple[float | None, float | None], str | None]:
    """Ends of the interval, or why there are none."""
    estimate = float(a.sum() / u.sum())
    if len(a) < 2:
        return (None, None), "a single sample or cluster: nothing shows how others differ"
    rest = a - estimate * u
    if np.abs(rest).max() <= 1e-12 * max(np.abs(a).max(), abs(estimate) * u.max()):
        return (None, None), "no sample differs from another: nothing bounds the error"
    ends = invert(
        _hall_t(rest, u, estimate),
        estimate=estimate,
        critical=t_critical(confidence, len(a) - 1),
        floor=None if low is None else min(low, estimate),
        ceiling=None if high is None else max(high, estimate),
    )
    return ends, "the sizes of the samples differ too much at this n" if None in ends else None


def _hall_t(rest: FloatArray, u: FloatArray, estimate: float) -> Callable[[float], float]:
    """From theta to the t statistic of mean(A - theta U) = 0 without its skewness.

    Moments of A - theta U are polynomials in theta - estimate; samples are looked at only once.

    Args:
        rest: A - estimate U.
        u: units.
        estimate: of theta.
    """
    n = len(rest)
    mean_r, mean_u = float(rest.mean()), float(u.mean())
    r, v = rest - mean_r, u - mean_u
    rr, vv = r * r, v * v
    second = (float(rr.mean()), -2 * float(r @ v) / n, float(vv.mean()))
    third = (float(rr @ r) / n, -3 * float(rr @ v) / n, 3 * float(r @ vv) / n, -float(vv @ v) / n)

    def statistic(theta: float) -> float:
        delta = theta - estimate
        mean = mean_r - delta * mean_u
        variance = second[0] + delta * (second[1] + delta * second[2])
        if variance <= 0:
            return math.copysign(math.inf, mean) if mean else 0.0
        cubes = third[0] + delta * (third[1] + delta * (third[2] + delta * third[3]))
        t = math.sqrt(n - 1) * mean / math.sqrt(variance)
        skew = cubes / math.pow(variance, 1.5) / math.sqrt(n)
        return t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6

    return statistic
