"""What simpler rules would have done with the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Baseline", "BaselineName", "baselines"]

BaselineName = Literal["always_teacher", "always_student", "random", "best_tasks", "oracle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One rule.

    Attributes:
        name: always_teacher, always_student, random (at the router's rate), best_tasks (whole
            tasks go to the student, cheapest losses first, up to the router's rate; chosen with
            hindsight on these samples) or oracle (the student wherever nothing is lost).
        share: part that goes to a student.
        quality: mean score.
        lost_rate: rate of negative flips.
    """

    name: BaselineName
    share: float
    quality: float
    lost_rate: float


def baselines(
    teacher: NDArray[np.bool_],
    student: NDArray[np.bool_],
    routed: NDArray[np.bool_],
    tasks: NDArray[Any],
) -> tuple[Baseline, ...]:
    """The rules on n samples.

    Args:
        teacher: (n,), whether the teacher is right.
        student: (n,), whether the student that is compared is.
        routed: (n,), what the router sent to a student.
        tasks: (n,), the sample's task.
    """
    share = float(routed.mean())
    everywhere = np.ones(len(teacher))
    rates = {
        "always_teacher": np.zeros(len(teacher)),
        "always_student": everywhere,
        "random": share * everywhere,
        "best_tasks": _best_tasks(teacher, student, tasks, share),
        "oracle": (student | ~teacher).astype(float),
    }
    return tuple(_baseline(name, teacher, student, rate) for name, rate in rates.items())


def _baseline(
    name: Any, teacher: NDArray[np.bool_], student: NDArray[np.bool_], rate: NDArray[np.float64]
) -> Baseline:
    return Baseline(
        name=name,
        share=float(rate.mean()),
        quality=float((rate * student + (1 - rate) * teacher).mean()),
        lost_rate=float((rate * (teacher & ~student)).mean()),
    )


def _best_tasks(
    teacher: NDArray[np.bool_], student: NDArray[np.bool_], tasks: NDArray[Any], share: float
) -> NDArray[np.float64]:
    """Part of each sample's task that goes to the student; the last task goes in part."""
    names, codes = np.unique(tasks.astype(str), return_inverse=True)
    drop = [
        float(teacher[codes == k].mean() - student[codes == k].mean()) for k in range(len(names))
    ]
    rates = np.zeros(len(teacher))
    left = share * len(teacher)
    for task in np.argsort(drop, kind="stable"):
        size = int((codes == task).sum())
        rates[codes == task] = min(1.0, left / size)
        left = max(0.0, left - size)
    return rates
