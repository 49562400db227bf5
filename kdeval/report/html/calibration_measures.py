"""The table of the calibration section: figures of both models, each beside its null."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.calibration_details import ConfidenceDetails
from kdeval.report.calibration_words import (
    MEASURES,
    figure_words,
    kept_words,
    measure,
    null_words,
    p_words,
)
from kdeval.report.html.figures import Figure, measured
from kdeval.report.numbers import UNKNOWN, number

__all__ = ["MeasureRow", "Sides", "kept_rows", "measure_rows"]

_FIRST = ("ece_equal_mass", "smooth_ece", "brier", "log_loss", "auroc")

Sides = tuple[ConfidenceDetails | None, ConfidenceDetails | None]
"""Teacher and student, as far as known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRow:
    """One figure of both models; `meaning` explains it.

    Attributes:
        first: it stands in the table that is always open.
    """

    name: str
    meaning: str
    teacher: Figure
    student: Figure
    first: bool = True


def measure_rows(sides: Sides) -> tuple[MeasureRow, ...]:
    """Share right, mean confidence and every figure of both; empty where nothing is known."""
    if sides == (None, None):
        return ()
    samples = [Figure(text=UNKNOWN if side is None else f"{side.figures.n:,}") for side in sides]
    right, claimed = (
        [
            Figure(text=UNKNOWN if side is None else number(getattr(side.figures, key), "percent"))
            for side in sides
        ]
        for key in ("accuracy", "mean_confidence")
    )
    rows = [
        MeasureRow(name=name, meaning=name, teacher=teacher, student=own)
        for name, (teacher, own) in (
            ("samples", samples),
            ("share right", right),
            ("mean confidence", claimed),
        )
    ]
    for key, (name, meaning) in MEASURES.items():
        teacher, student = (_beside(key, side) for side in sides)
        rows.append(
            MeasureRow(
                name=name, meaning=meaning, teacher=teacher, student=student, first=key in _FIRST
            )
        )
    return _known(rows)


def _beside(name: str, side: ConfidenceDetails | None) -> Figure:
    """The figure with what a perfectly calibrated model shows."""
    found = None if side is None else measure(side, name)
    if found is None:
        return Figure(text=UNKNOWN)
    null = null_words(name, found)
    text, _, aside = figure_words(name, found).partition(" (")
    return Figure(
        text=text,
        ends=f"perfect {null}, {p_words(found)}" if null else aside.removesuffix(")"),
        value=found.estimate,
        reason=found.reason or "",
    )


def kept_rows(sides: Sides) -> tuple[MeasureRow, ...]:
    """Accuracy where only the most confident answers are kept, and the AUROC's interval."""
    asked = next((side.kept for side in sides if side is not None), ())
    rows: list[MeasureRow] = []
    for index, item in enumerate(asked):
        share = number(item.asked, "percent", 0)
        teacher, student = (
            Figure(text=UNKNOWN) if side is None else _split(kept_words(side.kept[index]))
            for side in sides
        )
        rows.append(
            MeasureRow(
                name=f"right, {share} kept",
                meaning=f"share right among the {share} most confident answers",
                teacher=teacher,
                student=student,
                first=not rows,
            )
        )
    if asked:
        teacher, student = (
            Figure(text=UNKNOWN) if side is None else measured(side.auroc, "percent")
            for side in sides
        )
        rows.append(
            MeasureRow(
                name="AUROC, interval",
                meaning=MEASURES["auroc"][1],
                teacher=teacher,
                student=student,
                first=False,
            )
        )
    return _known(rows)


def _known(rows: list[MeasureRow]) -> tuple[MeasureRow, ...]:
    """Those that tell something of one model at least."""
    return tuple(row for row in rows if (row.teacher.text, row.student.text) != (UNKNOWN, UNKNOWN))


def _split(written: str) -> Figure:
    text, bracket, ends = written.partition(" [")
    return Figure(text=text, ends=bracket.strip() + ends)
