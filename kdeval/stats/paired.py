"""How a student's mean score compares with its teacher's on the same samples.

Ratio, difference and single mean all rest on one thing: a test that the mean of D = S - theta T is
zero, inverted into an interval. The scores decide which test: the constrained-likelihood score test
for binary ones (`score_test`), t for real ones (`fieller`), betting where D does not vary
(`betting`).

Clusters (conversations, documents, templates, repeats of a prompt) make samples dependent. Real
scores then get the linearised CR1 variance with t(G - 1); binary ones keep the score test, with
counts divided by the estimated design effect (Rao & Scott 1992) and the same t(G - 1). Where no
pair varies the design effect is taken as large as the clusters allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from numpy.typing import ArrayLike
from scipy import stats

from kdeval.stats import betting
from kdeval.stats.binomial import wilson_limits
from kdeval.stats.fieller import fieller_limits
from kdeval.stats.interval import Interval, check_confidence
from kdeval.stats.moments import (
    FloatArray,
    IntArray,
    Moments,
    as_clusters,
    as_scores,
    is_binary,
    is_unit,
    moments,
)
from kdeval.stats.score_test import invert, score_z

_NO_VARIANCE = "the scores do not vary and are not limited to [0, 1]: nothing bounds the error"


def retention(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    chance: float = 0.0,
) -> Interval:
    """Mean score of the student over that of the teacher, above chance, on the same samples.

    Binary scores get the paired score interval of Tang, Tang & Chan (2003) and Nam & Blackwelder
    (2002) (with `chance`: its four-valued relative); real ones Fieller's, or the betting interval
    where they do not vary. Score and Fieller intervals are asymptotic: near the zero-flip floor the
    score interval passes a bad student up to 1.2 times as often as its nominal error says.

    Args:
        teacher: Scores, shape (n,), without NaN.
        student: Scores of the same samples.
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.
        chance: Score of guessing, taken off both means.

    Returns:
        The interval. Ends are None where nothing bounds them (the teacher is not clearly above
        chance, a single cluster), the estimate where the teacher's mean is not above chance.

    Raises:
        ValueError: If shapes differ or a score is NaN or infinite.
    """
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters)
    if len(t) == 0:
        return _unknown(confidence, "paired retention", 0, "no samples")
    over = moments([s - chance, t - chance], codes)
    if over.means[1] <= 0:
        reason = "the teacher's mean score is not above " + ("chance" if chance else "zero")
        return _unknown(confidence, "paired retention", over.n, reason, clusters=over.clusters)
    if is_binary(t) and is_binary(s):
        return _binary_ratio(t, s, over, confidence, chance)
    return _real_ratio(t, s, codes, over, confidence, chance)


def paired_difference(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Mean score of the student minus that of the teacher on the same samples.

    Tango's (1998) score interval for binary scores, t for real ones, betting where the real
    differences do not vary. Arguments and errors as for `retention`.
    """
    check_confidence(confidence)
    t, s, codes = _paired(teacher, student, clusters)
    if len(t) == 0:
        return _unknown(confidence, "paired difference", 0, "no samples")
    difference = moments([s - t], codes)
    if not (is_binary(t) and is_binary(s)):
        value_range = (-1.0, 1.0) if is_unit(t) and is_unit(s) else None
        return _real_mean(s - t, codes, difference, confidence, value_range)
    estimate, counts = float(difference.means[0]), _cells(t, s)
    effect = math.sqrt(difference.design_effect([1.0]))

    def statistic(delta: float) -> float:
        return score_z((-delta, 1 - delta, -1 - delta, -delta), counts) / effect

    return _score_interval(statistic, estimate, difference, confidence, "Tango score", (-1.0, 1.0))


def mean(
    scores: ArrayLike, *, clusters: ArrayLike | None = None, confidence: float = 0.95
) -> Interval:
    """Mean score: Wilson for binary scores, t for real ones, betting where those do not vary.

    Arguments and errors as for `retention`.
    """
    check_confidence(confidence)
    x = as_scores(scores, "scores")
    codes = as_clusters(clusters, len(x))
    if len(x) == 0:
        return _unknown(confidence, "mean", 0, "no samples")
    m = moments([x], codes)
    if not is_binary(x):
        return _real_mean(x, codes, m, confidence, (0.0, 1.0) if is_unit(x) else None)
    method = "Wilson score" if m.clusters is None else "Wilson score (Rao-Scott)"
    if m.clusters is not None and m.dof < 1:
        return _one_cluster(m, confidence, method)
    effective = m.n / m.design_effect([1.0])
    low, high = wilson_limits(float(m.means[0]), effective, _critical(m, confidence, score=True))
    return _interval(m, confidence, method, float(m.means[0]), (low, high))


def _paired(
    teacher: ArrayLike, student: ArrayLike, clusters: ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray | None]:
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    return t, s, as_clusters(clusters, len(t))


def _cells(t: FloatArray, s: FloatArray) -> tuple[float, float, float, float]:
    """Counts of both right, student only, teacher only, both wrong."""
    both = float(t @ s)
    student_only, teacher_only = float(s.sum()) - both, float(t.sum()) - both
    return both, student_only, teacher_only, len(t) - both - student_only - teacher_only


def _binary_ratio(
    t: FloatArray, s: FloatArray, m: Moments, confidence: float, chance: float
) -> Interval:
    counts, estimate = _cells(t, s), float(m.means[0] / m.means[1])
    at_estimate = m.design_effect([1.0, -estimate])

    def statistic(theta: float) -> float:
        shift = chance * (1 - theta)
        values = (1 - theta - shift, 1 - shift, -theta - shift, -shift)
        effect = max(at_estimate, m.design_effect([1.0, -theta]))
        return score_z(values, counts) / math.sqrt(effect)

    method = "paired score above chance" if chance else "paired score (Nam-Blackwelder)"
    domain = (None, None) if chance else (0.0, None)
    return _score_interval(statistic, estimate, m, confidence, method, domain)


def _score_interval(
    statistic: Callable[[float], float],
    estimate: float,
    m: Moments,
    confidence: float,
    method: str,
    domain: tuple[float | None, float | None],
) -> Interval:
    if m.clusters is not None:
        method += ", Rao-Scott"
        if m.dof < 1:
            return _one_cluster(m, confidence, method, estimate)
    critical = _critical(m, confidence, score=True)
    ends = invert(
        statistic, estimate=estimate, critical=critical, floor=domain[0], ceiling=domain[1]
    )
    return _interval(m, confidence, method, estimate, ends)


def _real_ratio(
    t: FloatArray,
    s: FloatArray,
    codes: IntArray | None,
    m: Moments,
    confidence: float,
    chance: float,
) -> Interval:
    estimate = float(m.means[0] / m.means[1])
    if m.dof < 1 or m.variance([1.0, -estimate]) == 0:
        if not (is_unit(t) and is_unit(s)):
            return _unknown(confidence, "Fieller t", m.n, _NO_VARIANCE, estimate, m.clusters)
        ends = betting.ratio_limits(s, t, codes, chance=chance, confidence=confidence)
        return _interval(m, confidence, betting.METHOD, estimate, ends)
    method = "Fieller t" if m.clusters is None else "Fieller t, CR1"
    limits = fieller_limits(m, _critical(m, confidence)) or (None, None)
    return _interval(m, confidence, method, estimate, limits)


def _real_mean(
    x: FloatArray,
    codes: IntArray | None,
    m: Moments,
    confidence: float,
    value_range: tuple[float, float] | None,
) -> Interval:
    estimate, variance = float(m.means[0]), m.variance([1.0])
    if m.dof >= 1 and variance > 0:
        half = _critical(m, confidence) * math.sqrt(variance)
        method = "t" if m.clusters is None else "t, CR1"
        return _interval(m, confidence, method, estimate, (estimate - half, estimate + half))
    if value_range is None:
        return _unknown(confidence, "t", m.n, _NO_VARIANCE, estimate, m.clusters)
    ends = betting.mean_limits(x, codes, value_range=value_range, confidence=confidence)
    return _interval(m, confidence, betting.METHOD, estimate, ends)


def _critical(m: Moments, confidence: float, *, score: bool = False) -> float:
    """Two-sided critical value: normal for unclustered score tests, else t."""
    tail = (1 - confidence) / 2
    if score and m.clusters is None:
        return float(stats.norm.isf(tail))
    return float(stats.t.isf(tail, m.dof))


def _interval(
    m: Moments,
    confidence: float,
    method: str,
    estimate: float,
    ends: Sequence[float | None],
) -> Interval:
    low, high = ends
    reason = None
    if low is None or high is None:
        reason = "the teacher's mean score is not clearly above zero or chance at this n"
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        confidence=confidence,
        method=method,
        n=m.n,
        clusters=m.clusters,
        reason=reason,
    )


def _one_cluster(
    m: Moments, confidence: float, method: str, estimate: float | None = None
) -> Interval:
    estimate = float(m.means[0]) if estimate is None else estimate
    reason = "all samples share one cluster: nothing shows how clusters differ"
    return _unknown(confidence, method, m.n, reason, estimate, m.clusters)


def _unknown(
    confidence: float,
    method: str,
    n: int,
    reason: str,
    estimate: float | None = None,
    clusters: int | None = None,
) -> Interval:
    return Interval(
        estimate=estimate,
        low=None,
        high=None,
        confidence=confidence,
        method=method,
        n=n,
        clusters=clusters,
        reason=reason,
    )
