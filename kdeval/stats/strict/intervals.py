"""Intervals that hold their level at every n, whatever scores do within a known range.

One rate has Clopper and Pearson's exact interval; everything else is a test by betting that the
mean of D = S - theta T is zero (`strict_betting`). The price is width: on rare flips such an
interval is 1.3 to 1.5 times as wide as the asymptotic one, so it takes about two samples for one.

With clusters the unit is the cluster: its sum over the largest cluster. What holds then is the
mean over samples given the sizes of the clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.means.macro import TaskScores
from kdeval.stats.moments import FloatArray, IntArray, as_clusters, as_scores, is_binary
from kdeval.stats.strict.betting import Units, limits

__all__ = [
    "strict_difference",
    "strict_macro_difference",
    "strict_macro_retention",
    "strict_mean",
    "strict_retention",
]

Range = tuple[float, float]
_UNIT: Range = (0.0, 1.0)
_ONE: Range = (1.0, 1.0)
_TEACHERS_SHARE = 0.1
"""Part of the error that a chance-corrected retention spends on the teacher's own score."""


def strict_mean(
    scores: ArrayLike,
    *,
    value_range: Range = _UNIT,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Mean score: Clopper-Pearson for independent binary scores, else betting.

    Args:
        scores: Shape (n,), without NaN.
        value_range: Where a score can lie.
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.

    Raises:
        ValueError: A score is NaN, infinite or outside the range.
    """
    check_confidence(confidence)
    x = as_scores(scores, "scores")
    codes = as_clusters(clusters, len(x))
    if len(x) == 0:
        return unknown("no samples", confidence=confidence, method="betting", n=0)
    if codes is None and is_binary(x) and value_range == _UNIT:
        return clopper_pearson(int(x.sum()), len(x), confidence=confidence)
    _check_range(x, value_range)
    units = Units.of(x, np.ones_like(x), codes, value_range, _ONE, sum(value_range) / 2)
    return _interval(units, len(x), codes, confidence, value_range)


def strict_difference(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    value_range: Range = _UNIT,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Mean score of the student minus that of the teacher. Arguments as for `strict_mean`."""
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters, value_range)
    if len(t) == 0:
        return unknown("no samples", confidence=confidence, method="betting", n=0)
    span = value_range[1] - value_range[0]
    units = Units.of(s - t, np.ones_like(t), codes, (-span, span), _ONE, 0.0)
    return _interval(units, len(t), codes, confidence, (-span, span))


def strict_retention(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    highest: float = 1.0,
    chance: float = 0.0,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Mean score of the student over that of the teacher, above chance.

    Above chance it is 1 + difference / (teacher - chance), bounded by strict bounds of both.

    Args:
        teacher: Scores between 0 and `highest`, shape (n,).
        student: Of the same samples.
        highest: The largest possible score.
        chance: Score of guessing, taken off both means.
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.

    Raises:
        ValueError: Shapes differ, or a score is NaN, infinite or outside the range.
    """
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters, (0.0, highest))
    if len(t) == 0 or t.mean() <= chance:
        above = "the teacher's mean score is not above " + ("chance" if chance else "zero")
        reason = above if len(t) else "no samples"
        return unknown(reason, confidence=confidence, method="betting", n=len(t))
    if chance:
        return _above_chance(t, s, codes, (0.0, highest), chance, confidence)
    units = Units.of(s / highest, t / highest, codes, _UNIT, _UNIT, 1.0)
    return _interval(units, len(t), codes, confidence, (0.0, None))


def strict_macro_retention(tasks: Sequence[TaskScores], *, confidence: float = 0.95) -> Interval:
    """Ratio of the macro means over tasks; scores in [0, 1], each task with a sample or more."""
    check_confidence(confidence)
    t, s, weights, codes = _stacked(tasks)
    if not (t * weights).sum() > 0:
        reason = "the teacher's macro mean is not above zero"
        return unknown(reason, confidence=confidence, method="betting", n=len(t))
    units = Units.of(s * weights, t * weights, codes, _UNIT, _UNIT, 1.0, alike=False)
    return _interval(units, len(t), codes, confidence, (0.0, None))


def strict_macro_difference(tasks: Sequence[TaskScores], *, confidence: float = 0.95) -> Interval:
    """Difference of the macro means over tasks; as `strict_macro_retention`."""
    check_confidence(confidence)
    t, s, weights, codes = _stacked(tasks)
    units = Units.of((s - t) * weights, weights, codes, (-1.0, 1.0), _UNIT, 0.0, alike=False)
    return _interval(units, len(t), codes, confidence, (-1.0, 1.0))


def _above_chance(
    t: FloatArray,
    s: FloatArray,
    codes: IntArray | None,
    value_range: Range,
    chance: float,
    confidence: float,
) -> Interval:
    error = 1 - confidence
    found = strict_difference(
        t,
        s,
        value_range=value_range,
        clusters=codes,
        confidence=1 - error * (1 - _TEACHERS_SHARE),
    )
    own = strict_mean(
        t, value_range=value_range, clusters=codes, confidence=1 - error * _TEACHERS_SHARE / 2
    )
    low = high = None
    if own.low is not None and own.high is not None and own.low > chance:
        least, most = own.low - chance, own.high - chance
        if found.low is not None:
            low = 1 + found.low / (least if found.low < 0 else most)
        if found.high is not None:
            high = 1 + found.high / (most if found.high < 0 else least)
    return Interval(
        estimate=float((s.mean() - chance) / (t.mean() - chance)),
        low=low,
        high=high,
        confidence=confidence,
        method=f"{found.method}, difference over the teacher above chance",
        n=len(t),
        clusters=found.clusters,
        reason=_UNBOUNDED if None in (low, high) else None,
    )


_UNBOUNDED = "the teacher's score is not clearly above zero or chance at this n"


def _interval(
    units: Units,
    n: int,
    codes: IntArray | None,
    confidence: float,
    domain: tuple[float | None, float | None],
) -> Interval:
    low, high = limits(units, error=(1 - confidence) / 2, floor=domain[0], ceiling=domain[1])
    return Interval(
        estimate=float(units.a.sum() / units.b.sum()),
        low=low,
        high=high,
        confidence=confidence,
        method=units.method,
        n=n,
        clusters=None if codes is None else int(codes.max()) + 1,
        reason=_UNBOUNDED if None in (low, high) else None,
    )


def _paired(
    teacher: ArrayLike, student: ArrayLike, clusters: ArrayLike | None, value_range: Range
) -> tuple[FloatArray, FloatArray, IntArray | None]:
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    _check_range(np.concatenate([t, s]), value_range)
    return t, s, as_clusters(clusters, len(t))


def _check_range(x: FloatArray, value_range: Range) -> None:
    if len(x) and (x.min() < value_range[0] or x.max() > value_range[1]):
        raise ValueError(
            f"a score lies outside {list(value_range)}: a strict bound rests on the range of scores"
        )


def _stacked(
    tasks: Sequence[TaskScores],
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray | None]:
    """Teacher, student, the weight of each sample (at most 1) and clusters, task after task."""
    if not tasks or not all(np.size(task.teacher) for task in tasks):
        raise ValueError("a macro average needs at least one task, each with a sample or more")
    parts = [_paired(task.teacher, task.student, task.clusters, _UNIT) for task in tasks]
    smallest = min(len(t) for t, _, _ in parts)
    weights = np.concatenate([np.full(len(t), smallest / len(t)) for t, _, _ in parts])
    clustered = any(codes is not None for _, _, codes in parts)
    offset, every = 0, []
    for t, _, codes in parts:
        own = np.arange(len(t)) if codes is None else codes
        every.append(own + offset)
        offset += int(own.max()) + 1
    return (
        np.concatenate([t for t, _, _ in parts]),
        np.concatenate([s for _, s, _ in parts]),
        weights,
        np.concatenate(every) if clustered else None,
    )
