"""Averages over tasks that count each task once, however many samples it has.

The ratio of macro means is tested as any retention is: the mean of D = S - theta T, added up over
the tasks, is zero. Binary tasks keep the constrained-likelihood variance that holds without a flip;
real ones bring their estimated (CR1) variance; the variances add up. The mean of the tasks' own
ratios is not offered: it explodes where one task's teacher is near zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.critical import t_critical
from kdeval.stats.fieller import fieller_limits
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import (
    FloatArray,
    IntArray,
    Moments,
    as_clusters,
    as_scores,
    is_binary,
    is_unit,
    moments,
    witnesses,
)
from kdeval.stats.rates import design_effects
from kdeval.stats.score_test import invert
from kdeval.stats.stratified import Strata, stratified_z

__all__ = ["TaskScores", "macro_difference", "macro_mean", "macro_retention"]

Domain = tuple[float | None, float | None]
Cells = tuple[tuple[float, float], ...]
"""Possible (a, b) of one sample, for D = a - theta b; the first is one that was seen."""

_RATIO_CELLS: Cells = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
_DIFFERENCE_CELLS: Cells = ((0.0, 1.0), (1.0, 1.0), (-1.0, 1.0))
_MEAN_CELLS: Cells = ((0.0, 1.0), (1.0, 1.0))
_FAR = 2.0**40


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """Scores of one task, at least one sample.

    Attributes:
        name: For messages.
        teacher: Shape (n,).
        student: Of the same samples, shape (n,).
        clusters: Integer codes, shape (n,); samples that share one are dependent.
    """

    name: str
    teacher: ArrayLike
    student: ArrayLike
    clusters: ArrayLike | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One task's columns of D = a - theta b, and what is known of their variance."""

    name: str
    a: FloatArray
    b: FloatArray
    codes: IntArray | None
    moments: Moments
    counted: bool
    unit: bool
    cells: Cells
    seen: FloatArray
    effect: Callable[[float, bool], float]

    @property
    def constant(self) -> bool:
        """Real scores whose spread shows nothing: the student is a multiple of the teacher."""
        own = self.moments.means[0] / self.moments.means[1] if self.moments.means[1] else 0.0
        return not self.counted and self.moments.variance([1.0, -float(own)]) == 0


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
    made = [_retention_task(task) for task in _checked(tasks, confidence)]
    if sum(float(task.b.mean()) for task in made) <= 0:
        return _refused("the teacher's macro mean is not above zero", made, confidence, "macro")
    if not any(task.counted or task.constant for task in made):
        return _fieller(made, confidence)
    return _interval(made, confidence, "macro retention, stratified score", (0.0, None))


def macro_difference(tasks: Sequence[TaskScores], *, confidence: float = 0.95) -> Interval:
    """Mean over the tasks of the student's mean score minus the teacher's; as `macro_retention`."""
    made = [_difference_task(task) for task in _checked(tasks, confidence)]
    domain = (-1.0, 1.0) if all(task.unit for task in made) else (None, None)
    return _interval(made, confidence, "macro difference, stratified score", domain)


def macro_mean(tasks: Sequence[TaskScores], who: str, *, confidence: float = 0.95) -> Interval:
    """Mean over the tasks of one model's mean score; as `macro_retention`.

    Args:
        tasks: At least one, each with at least one sample.
        who: "teacher" or "student".
        confidence: Two-sided.
    """
    made = [_mean_task(task, who) for task in _checked(tasks, confidence)]
    domain = (0.0, 1.0) if all(task.unit for task in made) else (None, None)
    return _interval(made, confidence, "macro mean, stratified score", domain)


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


def _columns(task: TaskScores) -> tuple[FloatArray, FloatArray, IntArray | None]:
    t = as_scores(task.teacher, f"teacher of {task.name!r}")
    s = as_scores(task.student, f"student of {task.name!r}")
    return t, s, as_clusters(task.clusters, len(t))


def _retention_task(task: TaskScores) -> _Task:
    t, s, codes = _columns(task)
    own = float(s.mean() / t.mean()) if t.mean() > 0 else 1.0
    return _task(
        task.name, s, t, codes, (t, s), _RATIO_CELLS, lambda: design_effects(t, s, codes, own)
    )


def _difference_task(task: TaskScores) -> _Task:
    t, s, codes = _columns(task)

    def effects() -> Callable[[float, bool], float]:
        effect = design_effects(t, s, codes, 1.0)
        return lambda theta, below: effect(1.0, below)

    return _task(task.name, s - t, np.ones_like(t), codes, (t, s), _DIFFERENCE_CELLS, effects)


def _mean_task(task: TaskScores, who: str) -> _Task:
    t, s, codes = _columns(task)
    x = t if who == "teacher" else s

    def effects() -> Callable[[float, bool], float]:
        if codes is None:
            return lambda theta, below: 1.0
        events = min(witnesses(x == 0, codes), witnesses(x == 1, codes))
        effect = moments([x], codes).cautious_design_effect([1.0], events)
        return lambda theta, below: effect

    return _task(task.name, x, np.ones_like(x), codes, (x,), _MEAN_CELLS, effects)


def _task(
    name: str,
    a: FloatArray,
    b: FloatArray,
    codes: IntArray | None,
    scores: tuple[FloatArray, ...],
    cells: Cells,
    effects: Callable[[], Callable[[float, bool], float]],
) -> _Task:
    counted = all(is_binary(column) for column in scores)
    m = moments([a, b], codes)
    return _Task(
        name=name,
        a=a,
        b=b,
        codes=codes,
        moments=m,
        counted=counted,
        unit=all(is_unit(column) for column in scores),
        cells=cells,
        seen=np.array([((a == x) & (b == y)).sum() for x, y in cells], dtype=np.float64),
        effect=effects() if counted else lambda theta, below: m.largest_design_effect,
    )


def _refused(reason: str, made: Sequence[_Task], confidence: float, method: str) -> Interval:
    return unknown(
        reason, confidence=confidence, method=method, n=_n(made), clusters=_clusters(made)
    )


def _unjudgeable(task: _Task) -> str | None:
    """Why nothing is known of how much this task's mean varies."""
    if task.moments.clusters is not None and task.moments.dof < 1:
        return f"{task.name}: all samples share one cluster: nothing shows how clusters differ"
    if task.counted:
        return None
    if task.moments.dof < 1:
        return f"{task.name}: one sample shows no spread of its scores"
    if task.constant and not task.unit:
        return f"{task.name}: the scores do not vary and are not limited to [0, 1]"
    return None


def _fieller(made: Sequence[_Task], confidence: float) -> Interval:
    """With real tasks alone: the closed form, degrees of freedom taken at the estimate."""
    method = "macro retention, Fieller, variances summed"
    estimate = _estimate(made)
    reasons = [reason for task in made if (reason := _unjudgeable(task)) is not None]
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
    limits = fieller_limits(total, t_critical(confidence, _welch(variances, dof)))
    return _finished(made, confidence, method, estimate, limits or (None, None), None)


def _interval(made: Sequence[_Task], confidence: float, method: str, domain: Domain) -> Interval:
    if not any(task.counted or task.constant for task in made):
        method = method.replace("stratified score", "Welch t")
    estimate = _estimate(made)
    reasons = [reason for task in made if (reason := _unjudgeable(task)) is not None]
    if reasons:
        return _finished(made, confidence, method, estimate, (None, None), reasons[0])

    def statistic(theta: float) -> float:
        """The score statistic as a multiple of its critical value."""
        return _ratio_to_critical(made, theta, theta < estimate, confidence)

    low, high = invert(
        statistic, estimate=estimate, critical=1.0, floor=domain[0], ceiling=domain[1]
    )
    if high is not None and domain[1] is None and statistic(_FAR) > -1.0:
        high = None
    return _finished(made, confidence, method, estimate, (low, high), None)


def _ratio_to_critical(
    made: Sequence[_Task], theta: float, below: bool, confidence: float
) -> float:
    counted = [task for task in made if task.counted or task.constant]
    normal = [task for task in made if not (task.counted or task.constant)]
    rows = [_cells(task, theta, below) for task in counted]
    width = max((len(values) for values, _ in rows), default=0)
    strata = Strata(
        values=np.array([np.pad(values, (0, width - len(values)), "edge") for values, _ in rows]),
        counts=np.array([np.pad(counts, (0, width - len(counts))) for _, counts in rows]),
        means=np.array([task.moments.mean([1.0, -theta]) for task in normal]),
        variances=np.array([_spread(task, theta) for task in normal]),
        extra=np.array([0.0 if task.counted else _spread(task, theta) for task in counted]),
    )
    z, variances = stratified_z(strata)
    dof = [
        math.inf if task.counted and task.codes is None else float(task.moments.dof)
        for task in (*counted, *normal)
    ]
    return z / t_critical(confidence, _welch(variances, np.array(dof)))


def _spread(task: _Task, theta: float) -> float:
    return task.moments.variance([1.0, -theta])


def _cells(task: _Task, theta: float, below: bool) -> tuple[FloatArray, FloatArray]:
    """Values of D and how often each was seen, in effective counts."""
    values = np.array([a - theta * b for a, b in task.cells])
    effect = task.effect(theta, below)
    if task.counted:
        return values, task.seen / effect
    values = np.array([task.moments.mean([1.0, -theta]), values.min(), values.max()])
    return values, np.array([task.moments.n / effect, 0.0, 0.0])


def _welch(variances: FloatArray, dof: FloatArray) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946, Welch 1947)."""
    spread = float((variances**2 / dof).sum())
    return float(variances.sum()) ** 2 / spread if spread > 0 else math.inf


def _estimate(made: Sequence[_Task]) -> float:
    return sum(float(task.moments.means[0]) for task in made) / sum(
        float(task.moments.means[1]) for task in made
    )


def _n(made: Sequence[_Task]) -> int:
    return sum(len(task.a) for task in made)


def _clusters(made: Sequence[_Task]) -> int | None:
    if all(task.codes is None for task in made):
        return None
    return sum(task.moments.n if task.codes is None else task.moments.dof + 1 for task in made)


def _finished(
    made: Sequence[_Task],
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
