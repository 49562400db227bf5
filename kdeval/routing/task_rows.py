"""What a router did, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from kdeval_router.decision import Decision
from kdeval_router.schema import RouterConfig
from numpy.typing import NDArray

__all__ = ["TaskRow", "task_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """The samples that the router took for one task (None: for none), whichever they are of.

    Attributes:
        student_quality: of the target, or of the student most tasks go to where it is the teacher.
        lost: routed, the teacher right, the student wrong; `gained` the other way round.
    """

    task: str | None
    target: str
    n: int
    share: float
    quality: float
    teacher_quality: float
    student_quality: float
    lost: int
    gained: int


def task_rows(
    config: RouterConfig,
    decisions: Sequence[Decision],
    teacher: NDArray[np.bool_],
    student: NDArray[np.bool_],
    routed: NDArray[np.bool_],
) -> tuple[TaskRow, ...]:
    """A row a task that the router assigned samples to, in the order of router.yaml."""
    rows: list[TaskRow] = []
    names = [decision.task for decision in decisions]
    for name in (*config.tasks, None):
        of_task = np.array([task == name for task in names])
        if not of_task.any():
            continue
        t, s, r = teacher[of_task], student[of_task], routed[of_task]
        answered = np.where(r, s, t)
        rows.append(
            TaskRow(
                task=name,
                target=config.teacher if name is None else config.tasks[name].target,
                n=int(of_task.sum()),
                share=float(r.mean()),
                quality=float(answered.mean()),
                teacher_quality=float(t.mean()),
                student_quality=float(s.mean()),
                lost=int((t & ~answered).sum()),
                gained=int((answered & ~t).sum()),
            )
        )
    return tuple(rows)
