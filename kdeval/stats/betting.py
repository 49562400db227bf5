"""Intervals by betting for means of bounded D, where a variance estimate has nothing to hold on to.

Without variance in D (the same score on every pair, a student that copies its teacher) t and
Fieller intervals collapse to a point. These do not: they are valid at every n for scores in a known
range, and do not depend on the order of the samples. With clusters the unit is the sum over a
cluster, scaled by the largest cluster.
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
) -> Limits:
    """Ends of the interval for mean(S - c) / mean(T - c), scores in [0, 1]; None if unbounded."""
    above = (-chance, 1 - chance)
    floor = 0.0 if chance == 0 else None
    return _limits(
        student - chance, teacher - chance, clusters, above, above, confidence, (floor, None)
    )


def mean_limits(
    values: FloatArray, clusters: IntArray | None, *, value_range: Range, confidence: float
) -> Limits:
    """Ends of the interval for the mean of values that lie in `value_range`."""
    ones = np.ones_like(values)
    return _limits(values, ones, clusters, value_range, (1.0, 1.0), confidence, value_range)


def _limits(
    student: FloatArray,
    teacher: FloatArray,
    clusters: IntArray | None,
    student_range: Range,
    teacher_range: Range,
    confidence: float,
    bounds: tuple[float | None, float | None],
) -> Limits:
    """Inverts the test, at each theta, that D = S - theta T has mean zero."""
    estimate = float(student.mean() / teacher.mean())
    student, teacher = _units(student, clusters), _units(teacher, clusters)

    def evidence(theta: float) -> float:
        """Log capital against theta, positive if theta is too low and negative if too high."""
        if theta == estimate:
            return 0.0
        taken = (theta * teacher_range[0], theta * teacher_range[1])
        lowest = min(student_range[0] - max(taken), 0.0)
        width = max(student_range[1] - min(taken), 0.0) - lowest
        x = np.clip((student - theta * teacher - lowest) / width, 0.0, 1.0)
        zero = -lowest / width
        if theta < estimate:
            return max(mixture_log_capital(1 - x, 1 - zero), 0.0)
        return min(-mixture_log_capital(x, zero), 0.0)

    critical = math.log(2 / (1 - confidence))
    return invert(
        evidence, estimate=estimate, critical=critical, floor=bounds[0], ceiling=bounds[1]
    )


def _units(values: FloatArray, clusters: IntArray | None) -> FloatArray:
    """Independent units whose values stay in the range of one sample's or shrink towards 0."""
    if clusters is None:
        return values
    sums: FloatArray = np.bincount(clusters, weights=values) / np.bincount(clusters).max()
    return sums
