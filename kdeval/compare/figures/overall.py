"""One student over all tasks of a run: the figures that reports print."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.stats.interval import Interval

__all__ = ["MacroTask", "Overall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroTask:
    """One task in the averages: the cell of that suite, metric and slice.

    Attributes:
        name: the suite, and its task where the suite has several.
        n: pairs that count.
        retention: as in its cell; estimate None where its teacher is not above chance.
    """

    name: str
    suite: str
    metric: str
    slice: str
    n: int
    retention: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """One student over all tasks of a run, each counted once whatever its number of samples.

    A task whose teacher is not above chance counts in the averages, so that what they are averages
    of does not hang on the data; it has no retention of its own, and it may be the worst: then none
    is named.

    Attributes:
        tasks: what was averaged.
        at_chance: names of the tasks without a retention of their own.
        left_out: what was not averaged, and why, in words.
        teacher_score: mean over the tasks of the teacher's mean score.
        student_score: the same of the student.
        retention: the one mean over the other; estimate None where the teacher's is not clearly
            above the same mean of what guessing scores.
        difference: student minus teacher.
        worst_task: name of the task with the lowest retention; None where some task has none.
        worst: its retention, with bounds that hold for the worst task whichever it is.
    """

    tasks: tuple[MacroTask, ...]
    at_chance: tuple[str, ...]
    left_out: tuple[str, ...]
    teacher_score: Interval
    student_score: Interval
    retention: Interval
    difference: Interval
    worst_task: str | None
    worst: Interval | None
