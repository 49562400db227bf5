"""Tables of a student's scores: per slice, flips, calibration, imitation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdeval.compare.comparison import ALL, Cell, Comparison, ModelCalibration
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.fidelity_words import repeated_errors_words
from kdeval.report.html.figures import Figure, amount, measured, tally
from kdeval.report.numbers import (
    UNKNOWN,
    counted,
    difference_unit,
    number,
    p_value_text,
    score_unit,
)
from kdeval.report.overall import overall_notes, overall_rows, overall_title
from kdeval.report.plain_text import one_line
from kdeval.stats.means.flips import FlipTable

__all__ = [
    "AveragesView",
    "CalibrationRow",
    "FlipView",
    "ScoreRow",
    "averages_view",
    "calibration_rows",
    "flip_views",
    "score_rows",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragesView:
    """The averages over all tasks: each figure after what it is of."""

    title: str
    rows: tuple[tuple[str, Figure], ...]
    notes: tuple[str, ...]


def averages_view(student: Comparison) -> AveragesView | None:
    """None where the run has fewer than two tasks to average."""
    found = student.overall
    if found is None:
        return None
    return AveragesView(
        title=overall_title(found),
        rows=tuple(
            (one_line(row.label), measured(row.interval, row.unit)) for row in overall_rows(found)
        ),
        notes=tuple(f"{note[:1].upper()}{note[1:]}." for note in overall_notes(found)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One slice of one suite by one metric; `whole` marks the row of the whole suite."""

    suite: str
    metric: str
    slice: str
    whole: bool
    n: Figure
    missing: Figure
    teacher: Figure
    student: Figure
    baseline: Figure
    baseline_name: str
    difference: Figure
    retention: Figure
    above_chance: Figure | None


def score_rows(document: ReportDocument, student: Comparison) -> tuple[ScoreRow, ...]:
    """Every cell, in the run's order."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in student.cells:
        groups.setdefault((cell.suite, cell.metric), []).append(cell)
    rows: dict[int, ScoreRow] = {}
    for (_, name), cells in groups.items():
        metric = document.metrics.get(name)
        unit, points = score_unit(cells, metric), difference_unit(cells, metric)
        rows |= {
            id(cell): _score_row(cell, unit, points, below=_below(document, student, cell))
            for cell in cells
        }
    return tuple(rows[id(cell)] for cell in student.cells)


def _below(document: ReportDocument, student: Comparison, cell: Cell) -> bool:
    return document.noise is not None and document.noise.is_below(student.student, cell)


def _score_row(cell: Cell, unit: Unit, points: Unit, *, below: bool) -> ScoreRow:
    baseline, name = cell.majority, "majority"
    if baseline is None:
        baseline, name = cell.chance or None, "chance"
    difference = measured(cell.difference, points)
    return ScoreRow(
        suite=cell.suite,
        metric=cell.metric,
        slice=one_line(cell.slice, 120),
        whole=cell.slice == ALL,
        n=tally(cell.n),
        missing=tally(cell.missing.total),
        teacher=measured(cell.teacher_score, unit),
        student=measured(cell.student_score, unit),
        baseline=amount(baseline, unit),
        baseline_name="" if baseline is None else name,
        difference=replace(
            difference,
            text=difference.text.removesuffix(" points") + (" ≈" if below else ""),
            reason="below the noise floor" if below else difference.reason,
        ),
        retention=measured(cell.retention, "percent"),
        above_chance=(
            None
            if cell.retention_above_chance is None
            else measured(cell.retention_above_chance, "percent")
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipView:
    """The four counts of one suite by one metric."""

    suite: str
    metric: str
    table: FlipTable
    both_wrong_same: str

    def share(self, kind: str) -> str:
        """Of the samples, as a percentage."""
        count: int = getattr(self.table, kind)
        return number(count / self.table.n if self.table.n else None, "percent")


def flip_views(student: Comparison) -> tuple[FlipView, ...]:
    """Of the whole suites whose scores are right or wrong."""
    return tuple(
        FlipView(
            suite=cell.suite,
            metric=cell.metric,
            table=cell.flips,
            both_wrong_same=_same(cell),
        )
        for cell in student.cells
        if cell.slice == ALL and cell.flips is not None
    )


def _same(cell: Cell) -> str:
    if cell.both_wrong_same is None or cell.flips is None or not cell.flips.both_wrong:
        return ""
    return (
        f"Of the {counted(cell.flips.both_wrong, 'sample')} that both got wrong, "
        f"{cell.both_wrong_same:,} got the same wrong output; {repeated_errors_words(cell)}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRow:
    """One model's figures; lower is better but for accuracy and confidence."""

    name: str
    n: str
    accuracy: str
    confidence: str
    ece: str
    perfect: str
    brier: str
    log_loss: str
    temperature: str
    ece_scaled: str
    log_loss_scaled: str


def calibration_rows(cell: Cell, student: Comparison) -> tuple[CalibrationRow, ...]:
    """Of both models, as far as they are known."""
    found = cell.calibration
    if found is None:
        return ()
    sides = ((student.teacher, found.teacher), (student.student, found.student))
    return tuple(_calibration_row(name, side) for name, side in sides if side is not None)


def _calibration_row(name: str, side: ModelCalibration) -> CalibrationRow:
    log_loss = number(side.log_loss, "number", 3)
    if side.infinite_log_losses:
        log_loss = f"∞ ({counted(side.infinite_log_losses, 'reference')} at 0)"
    return CalibrationRow(
        name=name,
        n=f"{side.n:,}",
        accuracy=number(side.accuracy, "percent"),
        confidence=number(side.mean_confidence, "percent"),
        ece=number(side.ece, "number", 3),
        perfect=f"{number(side.ece_null, 'number', 3)}, p {p_value_text(side.ece_p_value)}",
        brier=number(side.brier, "number", 3),
        log_loss=log_loss,
        temperature=number(side.temperature, "number"),
        ece_scaled=_before_after(side.ece_unscaled, side.ece_scaled),
        log_loss_scaled=_before_after(side.log_loss_unscaled, side.log_loss_scaled),
    )


def _before_after(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return UNKNOWN
    return f"{number(before, 'number', 3)} → {number(after, 'number', 3)}"
