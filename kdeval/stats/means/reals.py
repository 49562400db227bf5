"""Intervals for real-valued scores: t and Fieller, betting where the scores do not vary.

With clusters the variance is the linearised CR1 one and t has G - 1 degrees of freedom.
"""

from __future__ import annotations

import math

from kdeval.stats import betting
from kdeval.stats.critical import t_critical
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.fieller import fieller_limits
from kdeval.stats.moments import FloatArray, IntArray, Moments, moments

_NO_VARIANCE = "the scores do not vary and have no known limits: nothing bounds the error"
_UNBOUNDED = "the teacher's score is not clearly above zero or chance at this n"


def ratio_of_means(
    t: FloatArray,
    s: FloatArray,
    codes: IntArray | None,
    *,
    chance: float,
    confidence: float,
    unit: bool = False,
) -> Interval:
    """Interval for mean(S - c) / mean(T - c); mean(T) above c, at least one sample.

    `unit`: the scores are limited to [0, 1].
    """
    m = moments([s - chance, t - chance], codes)
    estimate = float(m.means[0] / m.means[1])
    if m.dof >= 1 and m.variance([1.0, -estimate]) > 0:
        limits = fieller_limits(m, t_critical(confidence, m.dof))
        return _interval(m, confidence, "Fieller t", estimate, limits or (None, None))
    if not unit:
        return _without_variance(m, confidence, "Fieller t", estimate)
    ends = betting.ratio_limits(s, t, codes, chance=chance, confidence=confidence)
    return _interval(m, confidence, betting.METHOD, estimate, ends)


def mean_of_reals(
    x: FloatArray,
    codes: IntArray | None,
    *,
    value_range: tuple[float, float] | None,
    confidence: float,
) -> Interval:
    """Interval for mean(X), at least one sample; the range, if any, is where X can lie."""
    m = moments([x], codes)
    estimate, variance = float(m.means[0]), m.variance([1.0])
    if m.dof >= 1 and variance > 0:
        half = t_critical(confidence, m.dof) * math.sqrt(variance)
        return _interval(m, confidence, "t", estimate, (estimate - half, estimate + half))
    if value_range is None:
        return _without_variance(m, confidence, "t", estimate)
    ends = betting.mean_limits(x, codes, value_range=value_range, confidence=confidence)
    return _interval(m, confidence, betting.METHOD, estimate, ends)


def _interval(
    m: Moments,
    confidence: float,
    method: str,
    estimate: float,
    ends: tuple[float | None, float | None],
) -> Interval:
    clustered = m.clusters is not None and method != betting.METHOD
    return Interval(
        estimate=estimate,
        low=ends[0],
        high=ends[1],
        confidence=confidence,
        method=f"{method}, CR1" if clustered else method,
        n=m.n,
        clusters=m.clusters,
        reason=_UNBOUNDED if None in ends else None,
    )


def _without_variance(m: Moments, confidence: float, method: str, estimate: float) -> Interval:
    return unknown(
        _NO_VARIANCE,
        confidence=confidence,
        method=method,
        n=m.n,
        clusters=m.clusters,
        estimate=estimate,
    )
