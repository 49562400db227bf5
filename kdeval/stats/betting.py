"""Intervals by betting for means of bounded D, where a variance estimate has nothing to hold on to.

Without variance in D (the same score on every pair, a student that copies its teacher) t and
Fieller intervals collapse to a point. These do not: they are valid at every n for scores in a known
range, and do not depend on the order of the samples. With clusters the unit is the sum over a
cluster, scaled by the largest cluster. They also hold at every look at data that grow, provided
that the scale is the same at each: then the largest cluster there can be must be given.
"""

from __future__ import annotations

import math

import numpy as np
from kdeval_router.bounds import mixture_log_capital

from kdeval.stats.moments import FloatArray, IntArray
from kdeval.stats.score_test import invert

METHOD = "betting (mixture of constant bets)"

Range = tuple[float, float]
Limits = tuple[float | None, float | None]


def ratio_limits(
    student: FloatArray,
    teacher: FloatArray,
    clusters: IntArray | None,
    *,
    chance: float,
    confidence: float,
    largest_cluster: int | None = None,
) -> Limits:
    """Ends of the interval for mean(S - c) / mean(T - c), scores in [0, 1]; None if unbounded."""
    above = (-chance, 1 - chance)
    floor = 0.0 if chance == 0 else None
    units = _units(student - chance, clusters, largest_cluster)
    references = _units(teacher - chance, clusters, largest_cluster)
    return _limits(units, references, above, above, confidence, (floor, None))


def log_evidence(
    student: FloatArray, teacher: FloatArray, clusters: IntArray | None, theta: float
) -> float:
    """Log capital against "mean(S) / mean(T) is at most theta", scores in [0, 1]."""
    unit = (0.0, 1.0)
    units = (_units(student, clusters), _units(teacher, clusters))
    x, zero = _scaled(*units, unit, unit, theta)
    return mixture_log_capital(1 - x, 1 - zero)


def mean_limits(
    values: FloatArray,
    clusters: IntArray | None,
    *,
    value_range: Range,
    confidence: float,
    largest_cluster: int | None = None,
) -> Limits:
    """Ends of the interval for the mean of values that lie in `value_range`."""
    units = _units(values, clusters, largest_cluster)
    sizes = _units(np.ones_like(values), clusters, largest_cluster)
    return _limits(units, sizes, value_range, (1.0, 1.0), confidence, value_range)


def _limits(
    student: FloatArray,
    teacher: FloatArray,
    student_range: Range,
    teacher_range: Range,
    confidence: float,
    bounds: tuple[float | None, float | None],
) -> Limits:
    """Inverts the test, at each theta, that D = S - theta T has mean zero."""
    estimate = float(student.sum() / teacher.sum())

    def evidence(theta: float) -> float:
        """Log capital against theta, positive if theta is too low and negative if too high."""
        if theta == estimate:
            return 0.0
        x, zero = _scaled(student, teacher, student_range, teacher_range, theta)
        if theta < estimate:
            return max(mixture_log_capital(1 - x, 1 - zero), 0.0)
        return min(-mixture_log_capital(x, zero), 0.0)

    critical = math.log(2 / (1 - confidence))
    return invert(
        evidence, estimate=estimate, critical=critical, floor=bounds[0], ceiling=bounds[1]
    )


def _scaled(
    student: FloatArray,
    teacher: FloatArray,
    student_range: Range,
    teacher_range: Range,
    theta: float,
) -> tuple[FloatArray, float]:
    """D = S - theta T moved into [0, 1], and where its zero lies there."""
    taken = (theta * teacher_range[0], theta * teacher_range[1])
    lowest = min(student_range[0] - max(taken), 0.0)
    width = max(student_range[1] - min(taken), 0.0) - lowest
    return np.clip((student - theta * teacher - lowest) / width, 0.0, 1.0), -lowest / width


def _units(values: FloatArray, clusters: IntArray | None, largest: int | None = None) -> FloatArray:
    """Independent units whose values stay in the range of one sample's or shrink towards 0."""
    if clusters is None:
        return values / (largest or 1)
    seen = int(np.bincount(clusters).max())
    if largest is not None and largest < seen:
        raise ValueError(f"largest_cluster is {largest}, but a cluster has {seen} samples")
    sums: FloatArray = np.bincount(clusters, weights=values) / (largest or seen)
    return sums
