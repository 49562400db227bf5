"""Tasks as columns of D = a - theta b, and the score test that their means add up to zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.means.rates import design_effects
from kdeval.stats.means.stratified import Strata, stratified_z
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

__all__ = [
    "TaskScores",
    "TaskSum",
    "difference_sum",
    "mean_sum",
    "retention_sum",
    "sum_statistic",
    "unjudgeable",
    "welch",
]

Cells = tuple[tuple[float, float], ...]
"""Possible (a, b) of one sample, for D = a - theta b; the first is one that was seen."""

_RATIO_CELLS: Cells = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
_DIFFERENCE_CELLS: Cells = ((0.0, 1.0), (1.0, 1.0), (-1.0, 1.0))
_MEAN_CELLS: Cells = ((0.0, 1.0), (1.0, 1.0))


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
class TaskSum:
    """One task's columns of D = a - theta b, and what is known of their variance.

    Attributes:
        counted: Right-or-wrong scores: few cells, a variance that holds without a flip.
        unit: Scores that all lie in [0, 1].
        cells: What (a, b) of one sample can be.
        seen: How often each was seen.
        effect: Design effect, by theta and whether it lies below the estimate.
    """

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


def _columns(task: TaskScores) -> tuple[FloatArray, FloatArray, IntArray | None]:
    t = as_scores(task.teacher, f"teacher of {task.name!r}")
    s = as_scores(task.student, f"student of {task.name!r}")
    return t, s, as_clusters(task.clusters, len(t))


def retention_sum(task: TaskScores) -> TaskSum:
    """For the ratio: a the student's scores, b the teacher's."""
    t, s, codes = _columns(task)
    own = float(s.mean() / t.mean()) if t.mean() > 0 else 1.0
    return _task(
        task.name, s, t, codes, (t, s), _RATIO_CELLS, lambda: design_effects(t, s, codes, own)
    )


def difference_sum(task: TaskScores) -> TaskSum:
    """For the difference: a student minus teacher, b one."""
    t, s, codes = _columns(task)

    def effects() -> Callable[[float, bool], float]:
        effect = design_effects(t, s, codes, 1.0)
        return lambda theta, below: effect(1.0, below)

    return _task(task.name, s - t, np.ones_like(t), codes, (t, s), _DIFFERENCE_CELLS, effects)


def mean_sum(task: TaskScores, who: str) -> TaskSum:
    """For the mean of "teacher" or "student": a its scores, b one."""
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
) -> TaskSum:
    counted = all(is_binary(column) for column in scores)
    m = moments([a, b], codes)
    return TaskSum(
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


def unjudgeable(task: TaskSum) -> str | None:
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


def sum_statistic(made: Sequence[TaskSum], theta: float, *, below: bool) -> tuple[float, float]:
    """Score statistic of "the means of D add up to zero" at theta, and its degrees of freedom.

    Args:
        made: The tasks.
        theta: The value under test.
        below: Whether it lies below the estimate: losses then carry the clusters' weight.
    """
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
    return z, welch(variances, np.array(dof))


def _spread(task: TaskSum, theta: float) -> float:
    return task.moments.variance([1.0, -theta])


def _cells(task: TaskSum, theta: float, below: bool) -> tuple[FloatArray, FloatArray]:
    """Values of D and how often each was seen, in effective counts."""
    values = np.array([a - theta * b for a, b in task.cells])
    effect = task.effect(theta, below)
    if task.counted:
        return values, task.seen / effect
    values = np.array([task.moments.mean([1.0, -theta]), values.min(), values.max()])
    return values, np.array([task.moments.n / effect, 0.0, 0.0])


def welch(variances: FloatArray, dof: FloatArray) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946, Welch 1947)."""
    spread = float((variances**2 / dof).sum())
    return float(variances.sum()) ** 2 / spread if spread > 0 else math.inf
