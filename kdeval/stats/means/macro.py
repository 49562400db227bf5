"""Averages over tasks that count each task once, however many samples it has.

The ratio of macro means is tested as any retention is: the mean of D = S - theta T, added up over
the tasks, is zero. Binary tasks keep the constrained-likelihood variance that holds without a flip;
real ones bring their estimated (CR1) variance; the variances add up. The mean of the tasks' own
ratios is not offered: it explodes where one task's teacher is near zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, stdtr

from kdeval.stats.critical import t_critical
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.means.fieller import fieller_limits
from kdeval.stats.means.task_sums import (
    TaskScores,
    TaskSum,
    difference_sum,
    mean_sum,
    retention_sum,
    sum_statistic,
    unjudgeable,
    welch,
)
from kdeval.stats.moments import Moments
from kdeval.stats.score_test import invert

__all__ = [
    "TaskScores",
    "macro_difference",
    "macro_mean",
    "macro_retention",
    "macro_retention_p_value",
]

Domain = tuple[float | None, float | None]
_FAR = 2.0**40


def macro_retention(tasks: Sequence[TaskScores], *, confidence: float = 0.95) -> Interval:
    """Mean over the tasks of the student's mean score, over the same mean of the teacher's.

    Binary tasks enter by the score test, real ones by their variance; with real ones alone it is
    Fieller's interval with the tasks' covariances added up. Student's t has Welch-Satterthwaite
    degrees of freedom where tasks are clustered or real. A real task that does not vary counts as
    one in which the worst was not seen yet, so the interval never collapses. Asymptotic.

    Args:
        tasks: At least one, each with at least one sample.
        confidence: Two-sided.

    Raises:
        ValueError: There is no task or an empty one, shapes differ, or a score is NaN or infinite.
    """
    made = [retention_sum(task) for task in _checked(tasks, confidence)]
    if sum(float(task.b.mean()) for task in made) <= 0:
        return _refused("the teacher's macro mean is not above zero", made, confidence, "macro")
    if not any(task.counted or task.constant for task in made):
        return _fieller(made, confidence)
    return _interval(made, confidence, "macro retention, stratified score", (0.0, None))


def macro_difference(tasks: Sequence[TaskScores], *, confidence: float = 0.95) -> Interval:
    """Mean over the tasks of the student's mean score minus the teacher's; as `macro_retention`."""
    made = [difference_sum(task) for task in _checked(tasks, confidence)]
    domain = (-1.0, 1.0) if all(task.unit for task in made) else (None, None)
    return _interval(made, confidence, "macro difference, stratified score", domain)


def macro_mean(tasks: Sequence[TaskScores], who: str, *, confidence: float = 0.95) -> Interval:
    """Mean over the tasks of one model's mean score; as `macro_retention`.

    Args:
        tasks: At least one, each with at least one sample.
        who: "teacher" or "student".
        confidence: Two-sided.
    """
    made = [mean_sum(task, who) for task in _checked(tasks, confidence)]
    domain = (0.0, 1.0) if all(task.unit for task in made) else (None, None)
    return _interval(made, confidence, "macro mean, stratified score", domain)


def macro_retention_p_value(tasks: Sequence[TaskScores], *, threshold: float) -> float:
    """The smallest one-sided error at which `macro_retention` is bounded from below by `threshold`.

    1 where nothing speaks for it: the teacher is not above zero, or some task's spread is unknown.

    Args:
        tasks: As for `macro_retention`.
        threshold: The macro retention to be shown, above 0.

    Raises:
        ValueError: As for `macro_retention`, or the threshold is not above 0.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold!r}")
    made = [retention_sum(task) for task in _checked(tasks, 0.5)]
    if sum(float(task.b.mean()) for task in made) <= 0 or any(map(unjudgeable, made)):
        return 1.0
    estimate = _estimate(made)
    z, dof = sum_statistic(made, threshold, below=threshold < estimate)
    if not any(task.counted or task.constant for task in made):
        _, dof = sum_statistic(made, estimate, below=False)  # as Fieller's interval takes them
    return float(ndtr(-z)) if math.isinf(dof) else float(stdtr(dof, -z))


def _checked(tasks: Sequence[TaskScores], confidence: float) -> Sequence[TaskScores]:
    check_confidence(confidence)
    if not tasks:
        raise ValueError("a macro average needs at least one task")
    for task in tasks:
        if not np.size(task.teacher) or np.shape(task.teacher) != np.shape(task.student):
            raise ValueError(
                f"task {task.name!r}: needs paired scores of at least one sample, got shapes "
                f"{np.shape(task.teacher)} and {np.shape(task.student)}"
            )
    return tasks


def _refused(reason: str, made: Sequence[TaskSum], confidence: float, method: str) -> Interval:
    return unknown(
        reason, confidence=confidence, method=method, n=_n(made), clusters=_clusters(made)
    )


def _fieller(made: Sequence[TaskSum], confidence: float) -> Interval:
    """With real tasks alone: the closed form, degrees of freedom taken at the estimate."""
    method = "macro retention, Fieller, variances summed"
    estimate = _estimate(made)
    reasons = [reason for task in made if (reason := unjudgeable(task)) is not None]
    if reasons:
        return _finished(made, confidence, method, estimate, (None, None), reasons[0])
    total = Moments(
        means=np.sum([task.moments.means for task in made], axis=0),
        covariance=np.sum([task.moments.covariance for task in made], axis=0),
        naive=np.sum([task.moments.naive for task in made], axis=0),
        n=_n(made),
        clusters=_clusters(made),
        largest_design_effect=1.0,
    )
    variances = np.array([task.moments.variance([1.0, -estimate]) for task in made])
    dof = np.array([float(task.moments.dof) for task in made])
    limits = fieller_limits(total, t_critical(confidence, welch(variances, dof)))
    return _finished(made, confidence, method, estimate, limits or (None, None), None)


def _interval(made: Sequence[TaskSum], confidence: float, method: str, domain: Domain) -> Interval:
    if not any(task.counted or task.constant for task in made):
        method = method.replace("stratified score", "Welch t")
    estimate = _estimate(made)
    reasons = [reason for task in made if (reason := unjudgeable(task)) is not None]
    if reasons:
        return _finished(made, confidence, method, estimate, (None, None), reasons[0])

    def statistic(theta: float) -> float:
        """The score statistic as a multiple of its critical value."""
        z, dof = sum_statistic(made, theta, below=theta < estimate)
        return z / t_critical(confidence, dof)

    low, high = invert(
        statistic, estimate=estimate, critical=1.0, floor=domain[0], ceiling=domain[1]
    )
    if high is not None and domain[1] is None and statistic(_FAR) > -1.0:
        high = None
    return _finished(made, confidence, method, estimate, (low, high), None)


def _estimate(made: Sequence[TaskSum]) -> float:
    return sum(float(task.moments.means[0]) for task in made) / sum(
        float(task.moments.means[1]) for task in made
    )


def _n(made: Sequence[TaskSum]) -> int:
    return sum(len(task.a) for task in made)


def _clusters(made: Sequence[TaskSum]) -> int | None:
    if all(task.codes is None for task in made):
        return None
    return sum(task.moments.n if task.codes is None else task.moments.dof + 1 for task in made)


def _finished(
    made: Sequence[TaskSum],
    confidence: float,
    method: str,
    estimate: float,
    ends: Domain,
    reason: str | None,
) -> Interval:
    if reason is None and None in ends:
        reason = "the teacher's macro mean is not clearly above zero at this n"
    return Interval(
        estimate=estimate,
        low=ends[0],
        high=ends[1],
        confidence=confidence,
        method=method + (", cluster-robust" if _clusters(made) is not None else ""),
        n=_n(made),
        clusters=_clusters(made),
        reason=reason,
    )
