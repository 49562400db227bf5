"""The averages over all tasks of a run, in words and figures that every rendering shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kdeval.compare.figures.overall import Overall
from kdeval.gate.quantity import Unit
from kdeval.report.numbers import interval_text
from kdeval.stats.interval import Interval

__all__ = [
    "OverallRow",
    "overall_notes",
    "overall_rows",
    "overall_title",
    "worst_untold",
]

_SHOWN = 6


class OverallRow(NamedTuple):
    """One figure of the averages."""

    label: str
    interval: Interval
    unit: Unit

    @property
    def text(self) -> str:
        """The figure with its interval."""
        return interval_text(self.interval, self.unit)


def overall_title(found: Overall) -> str:
    """What was averaged."""
    tasks = len(found.tasks)
    return f"{'Both tasks' if tasks == 2 else f'All {tasks:,} tasks'}, each counted once"


def overall_rows(found: Overall) -> tuple[OverallRow, ...]:
    """Teacher, student, difference, retention, worst task."""
    rows = [
        OverallRow("teacher, mean over tasks", found.teacher_score, "percent"),
        OverallRow("student, mean over tasks", found.student_score, "percent"),
        OverallRow("macro difference", found.difference, "points"),
        OverallRow("macro retention", found.retention, "percent"),
    ]
    if found.worst is not None and found.worst_task is not None:
        label = f"retention of the worst task, {found.worst_task}"
        rows.append(OverallRow(label, found.worst, "percent"))
    return tuple(rows)


def overall_notes(found: Overall) -> Iterator[str]:
    """What a reader must know of the averages: what they leave out, and what bounds are missing."""
    if found.retention.reason is not None:
        yield f"macro retention: {found.retention.reason}"
    if found.at_chance:
        yield (
            f"the teacher is not clearly above chance on {_listed(found.at_chance)}: counted in "
            "the averages all the same"
        )
    untold = worst_untold(found)
    if untold is not None:
        yield untold
    if found.left_out:
        yield f"not averaged: {_listed(found.left_out)}"


def worst_untold(found: Overall) -> str | None:
    """Why no task is named as the worst; None where one is."""
    if not found.at_chance:
        return None
    have = "has" if len(found.at_chance) == 1 else "have"
    return f"worst task cannot be told: {_listed(found.at_chance)} {have} no retention"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; {more} more" if more > 0 else "")
