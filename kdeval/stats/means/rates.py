"""Intervals for binary scores: the score test inverted, with or without clusters.

With clusters the counts are divided by the design effect of D (Rao & Scott 1992) and compared with
t(G - 1). A variance estimated from few flips is too small, so the design effect is a cautious one:
see `Moments.cautious_design_effect`, and below for losses that come in larger bursts than gains.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from kdeval.stats.binomial import wilson_limits
from kdeval.stats.critical import normal_critical, t_critical
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.moments import FloatArray, IntArray, Moments, moments, witnesses
from kdeval.stats.score_test import invert, score_z

Domain = tuple[float | None, float | None]


def ratio_of_rates(
    t: FloatArray, s: FloatArray, codes: IntArray | None, *, chance: float, confidence: float
) -> Interval:
    """Interval for mean(S - c) / mean(T - c); mean(T) above c, at least one sample."""
    m = moments([s - chance, t - chance], codes)
    statistic = ratio_statistic(t, s, codes, chance=chance)
    method = "paired score above chance" if chance else "paired score (Nam-Blackwelder)"
    domain = (None, None) if chance else (0.0, None)
    return _inverted(statistic, float(m.means[0] / m.means[1]), m, confidence, method, domain)


def ratio_statistic(
    t: FloatArray, s: FloatArray, codes: IntArray | None, *, chance: float
) -> Callable[[float], float]:
    """Statistic of "mean(S - c) / mean(T - c) is theta", by theta; mean(T) above c."""
    estimate, counts = float((s.mean() - chance) / (t.mean() - chance)), _cells(t, s)
    effect = design_effects(t, s, codes, estimate)

    def statistic(theta: float) -> float:
        shift = chance * (1 - theta)
        values = (1 - theta - shift, 1 - shift, -theta - shift, -shift)
        return score_z(values, counts) / math.sqrt(effect(theta, theta < estimate))

    return statistic


def difference_of_rates(
    t: FloatArray, s: FloatArray, codes: IntArray | None, *, confidence: float
) -> Interval:
    """Interval for mean(S) - mean(T), at least one sample."""
    m = moments([s - t], codes)
    estimate, counts = float(m.means[0]), _cells(t, s)
    effect = design_effects(t, s, codes, 1.0)

    def statistic(delta: float) -> float:
        z = score_z((-delta, 1 - delta, -1 - delta, -delta), counts)
        return z / math.sqrt(effect(1.0, delta < estimate))

    return _inverted(statistic, estimate, m, confidence, "Tango score", (-1.0, 1.0))


def rate(x: FloatArray, codes: IntArray | None, *, confidence: float) -> Interval:
    """Interval for mean(X), at least one sample."""
    m = moments([x], codes)
    estimate, effective, method = float(m.means[0]), float(m.n), "Wilson score"
    if codes is not None:
        method += ", Rao-Scott"
        if m.dof < 1:
            return _one_cluster(m, confidence, method, estimate)
        events = min(witnesses(x == 0, codes), witnesses(x == 1, codes))
        effective /= m.cautious_design_effect([1.0], events)
    low, high = wilson_limits(estimate, effective, _critical(m, confidence))
    return _interval(m, confidence, method, estimate, (low, high))


def _cells(t: FloatArray, s: FloatArray) -> tuple[float, float, float, float]:
    """Counts of both right, student only, teacher only, both wrong."""
    both = float(t @ s)
    student_only, teacher_only = float(s.sum()) - both, float(t.sum()) - both
    return both, student_only, teacher_only, len(t) - both - student_only - teacher_only


def design_effects(
    t: FloatArray, s: FloatArray, codes: IntArray | None, reference: float
) -> Callable[[float, bool], float]:
    """Design effect of S - theta T, by theta and whether theta lies below the estimate.

    The largest of three: at theta, at the reference, and that of the losses alone for a theta below
    the estimate (of the gains above it): a lower end rests on how losses cluster, which scattered
    gains would hide.
    """
    if codes is None:
        return lambda theta, below: 1.0
    m = moments([s, t, t * (1 - s), s * (1 - t)], codes)
    flipped = witnesses(s != t, codes)
    losses = m.design_effect((0, 0, 1, 0)) or 1.0
    gains = m.design_effect((0, 0, 0, 1)) or 1.0
    fixed = m.cautious_design_effect((1, -reference, 0, 0), flipped)

    def effect(theta: float, below: bool) -> float:
        here = m.cautious_design_effect((1, -theta, 0, 0), flipped)
        return max(here, fixed, losses if below else gains)

    return effect


def _inverted(
    statistic: Callable[[float], float],
    estimate: float,
    m: Moments,
    confidence: float,
    method: str,
    domain: Domain,
) -> Interval:
    if m.clusters is not None:
        method += ", Rao-Scott"
        if m.dof < 1:
            return _one_cluster(m, confidence, method, estimate)
    ends = invert(
        statistic,
        estimate=estimate,
        critical=_critical(m, confidence),
        floor=domain[0],
        ceiling=domain[1],
    )
    return _interval(m, confidence, method, estimate, ends)


def _critical(m: Moments, confidence: float) -> float:
    return normal_critical(confidence) if m.clusters is None else t_critical(confidence, m.dof)


def _interval(
    m: Moments, confidence: float, method: str, estimate: float, ends: Domain
) -> Interval:
    bounded = None not in ends
    return Interval(
        estimate=estimate,
        low=ends[0],
        high=ends[1],
        confidence=confidence,
        method=method,
        n=m.n,
        clusters=m.clusters,
        reason=None if bounded else "the teacher's score is not clearly above chance at this n",
    )


def _one_cluster(m: Moments, confidence: float, method: str, estimate: float) -> Interval:
    return unknown(
        "all samples share one cluster: nothing shows how clusters differ",
        confidence=confidence,
        method=method,
        n=m.n,
        clusters=m.clusters,
        estimate=estimate,
    )
