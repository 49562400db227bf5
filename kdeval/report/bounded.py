"""A comparison whose intervals end where no value is possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kdeval.compare.comparison import Calibration, Cell, Comparison
from kdeval.gate.possible import possible_ends, within
from kdeval.gate.quantity import is_share
from kdeval.records import Metric

__all__ = ["bounded"]


def bounded(comparison: Comparison, metrics: Mapping[str, Metric]) -> Comparison:
    """`comparison` with the intervals of scores cut off at the ends of their metric's range.

    An interval for real-valued scores of a few samples reaches beyond it; what it covers is the
    same without that part.
    """
    return replace(
        comparison,
        cells=tuple(_bounded(cell, metrics.get(cell.metric)) for cell in comparison.cells),
    )


def _bounded(cell: Cell, metric: Metric | None) -> Cell:
    share = is_share([cell], metric)
    score = possible_ends("score", metric, share=share)
    return replace(
        cell,
        teacher_score=within(cell.teacher_score, score),
        student_score=within(cell.student_score, score),
        difference=within(cell.difference, possible_ends("difference", metric, share=share)),
        retention=within(cell.retention, possible_ends("retention", metric, share=share)),
        calibration=None if cell.calibration is None else _calibration(cell.calibration),
    )


def _calibration(found: Calibration) -> Calibration:
    if found.brier_difference is None:
        return found
    ends = possible_ends("brier_difference", None, share=False)
    return replace(found, brier_difference=within(found.brier_difference, ends))
