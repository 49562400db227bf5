"""The calibration section: figures first, tables beside them, the rest folded."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.calibration_details import CalibrationDetails
from kdeval.compare.comparison import ALL, Cell, Comparison
from kdeval.report.calibration_words import (
    details_by_suite,
    source_words,
    temperature_words,
)
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.html.calibration_measures import MeasureRow, Sides, kept_rows, measure_rows
from kdeval.report.html.calibration_tables import (
    CalibratorRow,
    ClassTable,
    TemperatureRow,
    calibrator_rows,
    class_table,
    part_rows,
    temperature_rows,
    without_calibrator,
)
from kdeval.report.html.charts.drawing import ACCENT, INK, Chart
from kdeval.report.html.charts.reliability import reliability_chart
from kdeval.report.html.charts.risk_coverage import risk_coverage_chart
from kdeval.report.html.charts.temperatures import temperature_chart
from kdeval.report.html.scores import CalibrationRow, calibration_rows
from kdeval.report.numbers import counted, interval_text
from kdeval.report.plain_text import one_line

__all__ = ["CalibrationView", "calibration_views", "calibrations_left_out"]

_MOST_SUITES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationView:
    """One suite.

    Attributes:
        nothing: why confidence tells nothing here, to stand alone; empty where it does.
        diagrams: reliability of teacher and student, as far as drawn.
        risk: share of errors over coverage.
        temperatures: over the temperatures of distillation.
        temperature_words: where the student is closest, and how sharp it is.
        measures: figures, each beside what a perfectly calibrated model shows.
        kept: accuracy where only the most confident answers are kept.
        notes: what confidence is, whose is missing, what p-values assume.
        differences: the paired differences in words.
        calibrators: what was fitted on one half, judged on the other.
        uncalibrated: why there is no calibrator, a sentence a model.
        parts: of the Brier score.
        classes: figures class by class; None without.
        steps: the table under the temperatures.
        scaled: temperature scaling of all classes.
    """

    suite: str
    nothing: str
    diagrams: tuple[tuple[str, Chart], ...]
    risk: Chart | None
    temperatures: Chart | None
    temperature_words: tuple[str, ...]
    measures: tuple[MeasureRow, ...]
    kept: tuple[MeasureRow, ...]
    notes: tuple[str, ...]
    differences: str
    calibrators: tuple[CalibratorRow, ...]
    uncalibrated: tuple[str, ...]
    parts: tuple[MeasureRow, ...]
    classes: ClassTable | None
    steps: tuple[TemperatureRow, ...]
    scaled: tuple[CalibrationRow, ...]


def calibration_views(
    details: StudentDetails | None, student: Comparison, *, name: str
) -> tuple[CalibrationView, ...]:
    """Of the first suites in which a model tells how sure it was."""
    known = details_by_suite(details)
    chosen = _suites(details, student)[:_MOST_SUITES]
    return tuple(
        _view(suite, known.get(suite), student, f"{name}-calibration-{index}")
        for index, suite in enumerate(chosen)
    )


def calibrations_left_out(details: StudentDetails | None, student: Comparison) -> int:
    """Suites that `calibration_views` has no room for."""
    return max(0, len(_suites(details, student)) - _MOST_SUITES)


def _suites(details: StudentDetails | None, student: Comparison) -> list[str]:
    known = details_by_suite(details)
    return [
        suite for suite in student.suites if suite in known or (_cell(student, suite) is not None)
    ]


def _cell(student: Comparison, suite: str) -> Cell | None:
    """The suite's first cell with calibration figures."""
    for cell in student.cells:
        if cell.suite == suite and cell.slice == ALL and calibration_rows(cell, student):
            return cell
    return None


def _view(suite: str, item: SuiteDetails | None, student: Comparison, name: str) -> CalibrationView:
    cell = _cell(student, suite)
    found = None if item is None else item.calibration
    sides: Sides = (None, None) if found is None else (found.teacher, found.student)
    temperature = None if found is None else found.temperature
    models = (student.teacher, student.student)
    diagrams = _diagrams(item, student, suite, name)
    return CalibrationView(
        suite=suite,
        nothing="" if found is None or diagrams or temperature else _nothing(found, student),
        diagrams=diagrams,
        risk=risk_coverage_chart(
            *(None if side is None else side.curve for side in sides),
            title=f"Share of errors among the most confident answers on {one_line(suite)}",
            name=f"{name}-risk",
        ),
        temperatures=None
        if temperature is None
        else temperature_chart(
            temperature,
            title=f"Student against teacher over temperatures on {one_line(suite)}",
            name=f"{name}-temperature",
        ),
        temperature_words=() if found is None else tuple(temperature_words(found)),
        measures=measure_rows(sides),
        kept=kept_rows(sides),
        notes=() if found is None else _notes(found, student),
        differences="" if cell is None else _paired(cell),
        calibrators=calibrator_rows(sides, models),
        uncalibrated=without_calibrator(sides, models),
        parts=tuple(
            MeasureRow(name=label, meaning=meaning, teacher=teacher, student=own)
            for label, meaning, teacher, own in part_rows(sides)
        ),
        classes=class_table(sides),
        steps=() if temperature is None else temperature_rows(temperature),
        scaled=() if cell is None else calibration_rows(cell, student),
    )


def _diagrams(
    item: SuiteDetails | None, student: Comparison, suite: str, name: str
) -> tuple[tuple[str, Chart], ...]:
    found = None if item is None else item.reliability
    if found is None:
        return ()
    sides = ((student.teacher, found.teacher, INK), (student.student, found.student, ACCENT))
    return tuple(
        (
            model,
            reliability_chart(
                bins,
                colour=colour,
                title=f"Reliability of {one_line(model)} on {one_line(suite)}: share right over "
                "confidence, by bins of equal mass, with exact intervals",
                name=f"{name}-reliability-{index}",
            ),
        )
        for index, (model, bins, colour) in enumerate(sides)
        if bins
    )


def _nothing(found: CalibrationDetails, student: Comparison) -> str:
    """Where no answer can be ranked before another: why, in one paragraph; else empty."""
    known = [
        (model, side.auroc)
        for model, side in ((student.teacher, found.teacher), (student.student, found.student))
        if side is not None
    ]
    if any(auroc.estimate is not None for _, auroc in known):
        return ""
    return " ".join(f"{model}: {auroc.reason}." for model, auroc in known)


def _notes(found: CalibrationDetails, student: Comparison) -> tuple[str, ...]:
    notes = []
    sides = (
        (student.teacher, found.teacher, found.teacher_reason),
        (student.student, found.student, found.student_reason),
    )
    for model, side, reason in sides:
        if side is None:
            notes.append(f"{model}: nothing is known of its confidence: {reason}.")
        elif side.source != "probabilities" or side.without:
            missing = f"; {counted(side.without, 'sample')} without" if side.without else ""
            notes.append(f"{model}: confidence is its {source_words(side)}{missing}.")
    if found.clustered:
        notes.append(
            "p-values and bands take samples as independent; these have clusters, so p is too "
            "small."
        )
    return tuple(notes)


def _paired(cell: Cell) -> str:
    found = cell.calibration
    if found is None or found.brier_difference is None:
        return ""
    parts = [f"Brier score (halved, 0 to 1) {interval_text(found.brier_difference, 'signed', 3)}"]
    if found.log_loss_difference is not None:
        logs = found.log_loss_difference
        written = interval_text(logs, "signed", 3)
        parts.append(f"log-loss {written if logs.estimate is not None else logs.reason}")
    return f"Student minus teacher, paired: {', '.join(parts)}."
