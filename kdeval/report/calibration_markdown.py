"""Calibration as Markdown: slices in one table, every figure of a whole suite in another."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.compare.calibration_details import CalibrationDetails, ConfidenceDetails
from kdeval.compare.comparison import Cell, Comparison, ModelCalibration
from kdeval.report.calibration_words import (
    MEASURES,
    calibration_lines,
    details_by_suite,
    figure_words,
    kept_words,
    measure,
    null_words,
    p_words,
)
from kdeval.report.document import ReportDocument
from kdeval.report.markdown_text import Block, code, table, text
from kdeval.report.numbers import (
    UNKNOWN,
    count,
    counted,
    interval_text,
    number,
    p_value_text,
)

__all__ = ["calibration_blocks"]

_BESIDE = "figure (mean and 95 % of perfectly calibrated models; how often one shows as much)"


def calibration_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    """The slices' figures, then each suite's beside their nulls, calibrators and temperatures."""
    yield from _calibration_table(student)
    details = document.details_for(student.student)
    for suite, item in details_by_suite(details).items():
        if item.calibration is not None:
            yield table(
                ["", "teacher", "student"],
                list(_figure_rows(item.calibration)),
                title=f"Confidence on {code(suite)}: {_BESIDE}",
            )
    lines = tuple(calibration_lines(details, student))
    if lines:
        yield Block(head="\n".join(f"- {text(line)}" for line in lines))


def _figure_rows(found: CalibrationDetails) -> Iterator[list[str]]:
    sides = (found.teacher, found.student)
    for name, (label, _) in MEASURES.items():
        cells = [_beside(name, side) for side in sides]
        if cells != [UNKNOWN, UNKNOWN]:
            yield [label, *cells]
    asked = next((side.kept for side in sides if side is not None), ())
    for index, item in enumerate(asked):
        share = number(item.asked, "percent", 0)
        kept = [UNKNOWN if side is None else text(kept_words(side.kept[index])) for side in sides]
        yield [f"right, {share} kept", *kept]
    ends = [UNKNOWN if side is None else interval_text(side.auroc, "percent") for side in sides]
    if ends != [UNKNOWN, UNKNOWN]:
        yield ["AUROC, interval", *ends]


def _beside(name: str, side: ConfidenceDetails | None) -> str:
    found = None if side is None else measure(side, name)
    null = null_words(name, found)
    beside = f" ({null}; {p_words(found)})" if null else ""
    return text(f"{figure_words(name, found)}{beside}")


def _calibration_table(student: Comparison) -> Iterator[Block]:
    rows: list[list[str]] = []
    seen: set[tuple[str, str]] = set()
    for cell in student.cells:
        if cell.calibration is None or (cell.suite, cell.slice) in seen:
            continue
        seen.add((cell.suite, cell.slice))
        sides = (("teacher", cell.calibration.teacher), ("student", cell.calibration.student))
        for role, side in sides:
            if side is not None:
                rows.append([code(cell.suite), code(cell.slice), role, *_calibration_row(side)])
        rows.extend(_difference_rows(cell))
    if not rows:
        return
    header = ["suite", "slice", "model", "n", "right", "confidence", "ECE (perfect: p)", "Brier"]
    header += ["log-loss", "temperature", "ECE scaled (before)"]
    yield table(header, rows, left=3, title="Calibration, lower is better")


def _calibration_row(side: ModelCalibration) -> list[str]:
    log_loss = number(side.log_loss, "number", 3)
    if side.infinite_log_losses:
        log_loss = f"{counted(side.infinite_log_losses, 'reference')} at probability 0"
    scaled = UNKNOWN
    if side.ece_scaled is not None:
        before = number(side.ece_unscaled, "number", 3)
        scaled = f"{number(side.ece_scaled, 'number', 3)} ({before})"
    perfect = f"{number(side.ece_null, 'number', 3)}: {p_value_text(side.ece_p_value)}"
    return [
        count(side.n),
        number(side.accuracy, "percent"),
        number(side.mean_confidence, "percent"),
        f"{number(side.ece, 'number', 3)} ({perfect})",
        number(side.brier, "number", 3),
        log_loss,
        number(side.temperature, "number"),
        scaled,
    ]


def _difference_rows(cell: Cell) -> Iterator[list[str]]:
    calibration = cell.calibration
    if calibration is None or calibration.brier_difference is None:
        return
    brier = interval_text(calibration.brier_difference, "signed")
    log_loss = interval_text(calibration.log_loss_difference, "signed")
    dash = [UNKNOWN] * 2
    yield [
        code(cell.suite),
        code(cell.slice),
        "student − teacher",
        count(calibration.brier_difference.n),
        *dash,
        UNKNOWN,
        brier,
        log_loss,
        *dash,
    ]
