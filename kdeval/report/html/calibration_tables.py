"""The folded tables of the calibration section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kdeval.report.calibration_words import (
    calibrator_words,
    null_words,
    p_words,
    parameter_words,
)
from kdeval.report.html.calibration_measures import Sides
from kdeval.report.html.figures import Figure, amount, measured
from kdeval.report.numbers import UNKNOWN, number
from kdeval.report.plain_text import one_line
from kdeval.stats.calibration.calibrators.judged import BinaryFigures, CalibratorFigures
from kdeval.stats.calibration.classwise import ClassFigures
from kdeval.stats.fidelity.distillation import DistillationTemperature

__all__ = [
    "CalibratorRow",
    "ClassRow",
    "ClassTable",
    "TemperatureRow",
    "calibrator_rows",
    "class_table",
    "part_rows",
    "temperature_rows",
    "without_calibrator",
]

_MOST_CLASSES = 20
_PARTS = (
    ("reliability", "how wrong the probabilities are; 0 for a calibrated model"),
    ("resolution", "how far they tell samples apart; high is best"),
    ("uncertainty", "what the labels alone leave open"),
    ("within bins", "what the bins hide"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratorRow:
    """One model's calibrator; figures are of the half it was not fitted on."""

    model: str
    chosen: str
    why: str
    n: str
    ece: Figure
    brier: Figure
    log_loss: Figure
    change: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class: its share, and of both models what was claimed and the error."""

    name: str
    labels: str
    share: str
    teacher_claimed: str
    student_claimed: str
    teacher: Figure
    student: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """The classes on which the student errs most against its null.

    Attributes:
        judged: classes with enough samples.
        left_out: classes without.
        least: how many that is.
        teacher: mean error of the teacher over the judged classes.
        student: the same of the student.
    """

    rows: tuple[ClassRow, ...]
    judged: int
    left_out: int
    least: int
    teacher: Figure
    student: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureRow:
    """One temperature; `closest` marks the one with the least lost."""

    temperature: str
    entropy: str
    non_target: str
    kl: str
    lost: str
    closest: bool


def calibrator_rows(sides: Sides, models: tuple[str, str]) -> tuple[CalibratorRow, ...]:
    """Of the models that have one."""
    return tuple(
        _calibrator_row(model, side.calibrator)
        for model, side in zip(models, sides, strict=True)
        if side is not None and side.calibrator.after is not None
    )


def without_calibrator(sides: Sides, models: tuple[str, str]) -> tuple[str, ...]:
    """Why a model whose confidence is known has none, a sentence each."""
    return tuple(
        f"{model}: {calibrator_words(side.calibrator)}."
        for model, side in zip(models, sides, strict=True)
        if side is not None and side.calibrator.after is None
    )


def _calibrator_row(model: str, found: CalibratorFigures) -> CalibratorRow:
    compared = ", ".join(f"{name} {loss:.3f}" for name, loss in found.log_losses.items())
    return CalibratorRow(
        model=model,
        chosen=parameter_words(found),
        why=f"{found.why} ({compared})" if compared else found.why,
        n=f"{found.n_fit:,} / {found.n_judged:,}",
        ece=_change(found.before, found.after, "ece"),
        brier=_change(found.before, found.after, "brier"),
        log_loss=_change(found.before, found.after, "log_loss"),
        change=measured(found.brier_change, "signed", 3),
    )


def _change(before: BinaryFigures | None, after: BinaryFigures | None, name: str) -> Figure:
    if after is None:
        return Figure(text=UNKNOWN)
    if name == "ece":
        values = [None if side is None else side.ece.estimate for side in (before, after)]
        perfect = number(after.ece.expected, "number", 3)
        ends = f"perfect {perfect}, {p_words(after.ece)}"
    else:
        values = [None if side is None else getattr(side, name) for side in (before, after)]
        ends = ""
    written = number(values[1], "number", 3)
    if before is not None:
        first = "∞" if values[0] is None else number(values[0], "number", 3)
        written = f"{first} → {written}"
    return Figure(text=written, ends=ends)


def part_rows(sides: Sides) -> Iterator[tuple[str, str, Figure, Figure]]:
    """Name, meaning, teacher's and student's part of the Brier score; nothing without any."""
    parts = [None if side is None else side.parts for side in sides]
    if parts == [None, None]:
        return
    for name, meaning in _PARTS:
        key = name.replace(" ", "_")
        teacher, student = (
            amount(None if part is None else getattr(part, key), "number", 4) for part in parts
        )
        yield name, meaning, teacher, student


def class_table(sides: Sides) -> ClassTable | None:
    """None where no class has the samples, or classes have no names."""
    tables = [None if side is None else side.classes for side in sides]
    teacher, student = tables
    if teacher is None or student is None or not student.classes:
        return None
    names = () if sides[1] is None else sides[1].class_names
    pairs = sorted(
        zip(teacher.classes, student.classes, strict=True),
        key=lambda pair: (pair[1].ece.p_value or 1.0, -(pair[1].ece.estimate or 0.0)),
    )
    return ClassTable(
        rows=tuple(
            _class_row(names[own.index], other, own) for other, own in pairs[:_MOST_CLASSES]
        ),
        judged=len(pairs),
        left_out=student.left_out,
        least=student.least,
        teacher=_mean(teacher.mean_ece, teacher.mean_expected),
        student=_mean(student.mean_ece, student.mean_expected),
    )


def _mean(estimate: float | None, expected: float | None) -> Figure:
    return Figure(
        text=number(estimate, "number", 4), ends=f"perfect {number(expected, 'number', 4)}"
    )


def _class_row(name: str, teacher: ClassFigures, student: ClassFigures) -> ClassRow:
    return ClassRow(
        name=one_line(name, 60),
        labels=f"{student.labels:,}",
        share=number(student.share, "percent"),
        teacher_claimed=number(teacher.claimed, "percent"),
        student_claimed=number(student.claimed, "percent"),
        teacher=_class_error(teacher),
        student=_class_error(student),
    )


def _class_error(found: ClassFigures) -> Figure:
    return Figure(
        text=number(found.ece.estimate, "number", 3),
        ends=f"perfect {null_words('ece', found.ece)}, {p_words(found.ece)}",
    )


def temperature_rows(found: DistillationTemperature) -> tuple[TemperatureRow, ...]:
    """A row for each temperature."""
    return tuple(
        TemperatureRow(
            temperature=f"{step.temperature:g}",
            entropy=number(step.teacher_entropy, "number", 3),
            non_target=number(step.non_target, "percent"),
            kl="∞" if step.kl is None else number(step.kl, "number", 3),
            lost=number(step.lost, "percent"),
            closest=step.temperature == found.closest,
        )
        for step in found.steps
    )
