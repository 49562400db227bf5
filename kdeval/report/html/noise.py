"""The models against themselves: what changed conditions did, and what lies below that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdeval.compare.comparison import ALL
from kdeval.compare.noise_floor import NoiseFloor
from kdeval.compare.self_difference import SelfDifference
from kdeval.report.document import ReportDocument
from kdeval.report.html.figures import Figure, measured, tally
from kdeval.report.noise_words import (
    difference_unit_of,
    floor_sentence,
    not_varied_lines,
    warning_lines,
)

__all__ = ["ConditionRow", "ModelNoise", "NoiseView", "noise_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow:
    """One model, one changed condition, one suite by one metric."""

    model: str
    change: str
    suite: str
    metric: str
    n: str
    flips: Figure
    difference: Figure
    changed: Figure
    probability: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNoise:
    """One model: its floors in sentences, and what could not be varied."""

    model: str
    sentences: tuple[str, ...]
    not_varied: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseView:
    """The section on noise floors.

    Attributes:
        warnings: student to its figures below the noise floor.
    """

    rows: tuple[ConditionRow, ...]
    models: tuple[ModelNoise, ...]
    warnings: Mapping[str, tuple[str, ...]]


def noise_view(document: ReportDocument) -> NoiseView | None:
    """Over the whole suites; None where nothing was measured."""
    noise = document.noise
    if noise is None:
        return None
    return NoiseView(
        rows=tuple(
            _row(floor, condition.change, cell)
            for floor in noise.floors
            for condition in floor.conditions
            for cell in condition.cells
            if cell.slice == ALL
        ),
        models=tuple(
            ModelNoise(
                model=floor.model,
                sentences=tuple(
                    floor_sentence(floor, item) for item in floor.floors if item.slice == ALL
                ),
                not_varied=tuple(line[:1].upper() + line[1:] for line in not_varied_lines(floor)),
            )
            for floor in noise.floors
        ),
        warnings={
            student.student: tuple(warning_lines(noise, student)) for student in document.students
        },
    )


def _row(noise: NoiseFloor, change: str, cell: SelfDifference) -> ConditionRow:
    unit = difference_unit_of(noise, cell.metric, binary=cell.flips is not None)
    difference = measured(cell.difference, unit)
    change_of_p = cell.largest_probability_change
    return ConditionRow(
        model=noise.model,
        change=change,
        suite=cell.suite,
        metric=cell.metric,
        n=f"{cell.n:,}",
        flips=tally(cell.flips),
        difference=difference,
        changed=measured(cell.changed, "percent"),
        probability="–" if change_of_p is None else f"{change_of_p:.2g}",
    )
