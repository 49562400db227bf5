"""Quantiles of latencies, and the ratio of two models' quantiles measured in turn."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, as_scores

_LARGEST_RESAMPLE = 10_000
_CHUNK = 4_000_000


def quantile(values: ArrayLike, q: float, *, confidence: float = 0.95) -> Interval:
    """The q-quantile with its distribution-free interval between two order statistics.

    The number of values below the true quantile is binomial, whatever the distribution, so each end
    errs with probability at most (1 - confidence) / 2. An end for which n is too small is None.

    Args:
        values: Independent measurements, shape (n,), in any unit.
        q: Between 0 and 1.
        confidence: Two-sided.

    Source: David & Nagaraja (2003), Order Statistics, section 7.1.
    """
    check_confidence(confidence)
    x = np.sort(as_scores(values, "values"))
    method = "order statistics (binomial)"
    if len(x) == 0:
        return unknown("no samples", confidence=confidence, method=method, n=0)
    low, high = _ranks(len(x), q, confidence)
    return Interval(
        estimate=float(np.quantile(x, q)),
        low=None if low is None else float(x[low]),
        high=None if high is None else float(x[high]),
        confidence=confidence,
        method=method,
        n=len(x),
        clusters=None,
        reason=_too_few(len(x), q) if low is None or high is None else None,
    )


def paired_quantile_ratio(
    student_values: ArrayLike,
    teacher_values: ArrayLike,
    q: float,
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
    resamples: int = 2000,
) -> Interval:
    """The student's q-quantile over the teacher's, for measurements taken in pairs.

    Percentile bootstrap over pairs, so that drift of the machine that hits both cancels. Beyond
    10,000 pairs it resamples 10,000 and shrinks the spread of the log ratio accordingly. The
    interval is asymptotic, and is withheld where either quantile alone has none.

    Args:
        student_values: Positive measurements, shape (n,).
        teacher_values: Those of the same rounds.
        q: Between 0 and 1.
        confidence: Two-sided.
        rng: For the resampling.
        resamples: Number of bootstrap resamples.

    Raises:
        ValueError: If shapes differ or a value is not positive and finite.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13; Bickel,
    Goetze & van Zwet (1997) for resamples smaller than n.
    """
    check_confidence(confidence)
    s, t = as_scores(student_values, "student_values"), as_scores(teacher_values, "teacher_values")
    if s.shape != t.shape:
        raise ValueError(f"{len(s)} student and {len(t)} teacher values; they must be paired")
    if (s <= 0).any() or (t <= 0).any():
        raise ValueError("measurements must be positive")
    n, method = len(s), "percentile bootstrap over pairs"
    if n == 0:
        return unknown("no samples", confidence=confidence, method=method, n=0)
    estimate = float(np.quantile(s, q) / np.quantile(t, q))
    if None in _ranks(n, q, confidence):
        return unknown(_too_few(n, q), confidence=confidence, method=method, n=n, estimate=estimate)
    size = min(n, _LARGEST_RESAMPLE)
    spread = _bootstrap_log_ratios(s, t, q, rng, resamples, size) - math.log(estimate)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = estimate * np.exp(math.sqrt(size / n) * np.quantile(spread, tails))
    return Interval(
        estimate=estimate,
        low=min(float(low), estimate),
        high=max(float(high), estimate),
        confidence=confidence,
        method=method,
        n=n,
        clusters=None,
    )


def paired_median_ratio(
    student_values: ArrayLike,
    teacher_values: ArrayLike,
    *,
    confidence: float = 0.95,
    rng: np.random.Generator,
    resamples: int = 2000,
) -> Interval:
    """The student's median over the teacher's: `paired_quantile_ratio` at q = 0.5."""
    return paired_quantile_ratio(
        student_values, teacher_values, 0.5, confidence=confidence, rng=rng, resamples=resamples
    )


def _ranks(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    """Indices of the order statistics that enclose the quantile; None where there is none."""
    if not 0 < q < 1:
        raise ValueError(f"q must lie between 0 and 1, got {q!r}")
    tail = (1 - confidence) / 2
    below = int(stats.binom.ppf(tail, n, q))
    if stats.binom.cdf(below, n, q) > tail:
        below -= 1
    above = int(stats.binom.isf(tail, n, q))
    return (below if below >= 0 else None), (above if above < n else None)


def _bootstrap_log_ratios(
    s: FloatArray, t: FloatArray, q: float, rng: np.random.Generator, resamples: int, size: int
) -> FloatArray:
    parts = []
    step = max(1, _CHUNK // size)
    for first in range(0, resamples, step):
        chosen = rng.integers(0, len(s), size=(min(step, resamples - first), size))
        parts.append(np.log(np.quantile(s[chosen], q, axis=1) / np.quantile(t[chosen], q, axis=1)))
    return np.concatenate(parts)


def _too_few(n: int, q: float) -> str:
    return f"{n} measurements are too few to bound the {q:g} quantile at this confidence"
