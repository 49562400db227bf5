"""The averages over all tasks of a run, in words and figures that every rendering shares."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.compare.figures.overall import Overall
from kdeval.report.numbers import counted, interval_text

__all__ = ["overall_notes", "overall_rows", "overall_title"]

_SHOWN = 6


def overall_title(found: Overall) -> str:
    """What was averaged."""
    return f"All {counted(len(found.tasks), 'task')}, each counted once"


def overall_rows(found: Overall) -> tuple[tuple[str, str], ...]:
    """Each figure with its interval: teacher, student, difference, retention, worst task."""
    rows = [
        ("teacher, mean over tasks", interval_text(found.teacher_score, "percent")),
        ("student, mean over tasks", interval_text(found.student_score, "percent")),
        ("macro difference", interval_text(found.difference, "points")),
        ("macro retention", interval_text(found.retention, "percent")),
    ]
    if found.worst is not None and found.worst_task is not None:
        label = f"retention of the worst task, {found.worst_task}"
        rows.append((label, interval_text(found.worst, "percent")))
    return tuple(rows)


def overall_notes(found: Overall) -> Iterator[str]:
    """What a reader must know of the averages: what they leave out, and what bounds are missing."""
    if found.retention.reason is not None:
        yield f"macro retention: {found.retention.reason}"
    if found.at_chance:
        yield (
            f"the teacher is not clearly above chance on {_listed(found.at_chance)}: counted in "
            "the averages, without a retention of its own"
        )
    if found.left_out:
        yield f"not averaged: {_listed(found.left_out)}"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return "; ".join(names[:_SHOWN]) + (f"; {more} more" if more > 0 else "")
