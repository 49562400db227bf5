"""The report for a terminal of 80 columns: rich renderables, which print nothing themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdeval.compare.comparison import ALL, Cell, Comparison, ModelCalibration
from kdeval.gate.decision import GateDecision, Verdict
from kdeval.records import Metric
from kdeval.report.calibration_words import calibration_lines
from kdeval.report.document import ReportDocument
from kdeval.report.fidelity_words import fidelity_lines
from kdeval.report.fitting_table import FittingTable
from kdeval.report.layer_words import layer_lines
from kdeval.report.ledger import ledger_summary
from kdeval.report.left_out import left_out_reasons
from kdeval.report.noise_terminal import student_noise
from kdeval.report.numbers import (
    confidence_text,
    count,
    counted,
    difference_unit,
    interval_text,
    number,
    score_unit,
)
from kdeval.report.overall import overall_notes, overall_rows, overall_title
from kdeval.report.plain_text import one_line
from kdeval.report.previous import previous_lines
from kdeval.report.related_terminal import related_renderables
from kdeval.report.speed import speed_remarks, speed_rows

__all__ = ["gate_renderables", "report_renderables"]

_SLICES = 12
_CALIBRATION_WORDS = (
    "sure: mean confidence; perfect: ECE of a perfectly calibrated model at this n;",
    "scaled: ECE on the other half after temperature scaling",
)
_ORDER: tuple[Verdict, ...] = ("pass", "inconclusive", "fail")
_STYLES: dict[Verdict, str] = {"pass": "bold green", "fail": "bold red", "inconclusive": "yellow"}


def gate_renderables(decisions: Sequence[GateDecision]) -> tuple[RenderableType, ...]:
    """For each decision a table of rules, those that fail last, then the verdict."""
    return tuple(part for decision in decisions for part in _decision(decision))


def report_renderables(document: ReportDocument) -> tuple[RenderableType, ...]:
    """Every student's scores, calibration, speed and cost; then the decisions and the notes."""
    parts: list[RenderableType] = [_text(document.name, style="bold")]
    for student in document.students:
        parts.extend(_student(document, student))
    parts.extend(related_renderables(document))
    if document.decisions:
        parts.append(Text())
    parts.extend(gate_renderables(document.decisions))
    parts.append(Text())
    notes = (*document.model_notes, *document.notes)
    parts.extend(_text(f"note: {note}", style="dim") for note in notes)
    return tuple(parts)


def _decision(decision: GateDecision) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 1, 1, 0), pad_edge=False, expand=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("rule", ratio=2, overflow="fold")
    table.add_column("evidence", ratio=3, overflow="fold")
    for rule in sorted(decision.rules, key=lambda rule: _ORDER.index(rule.verdict)):
        table.add_row(
            Text(rule.verdict, style=_STYLES[rule.verdict]), _text(rule.rule), _text(rule.evidence)
        )
    yield table
    against = f"against {decision.teacher}"
    if decision.baseline is not None:
        against += f" and the baseline {decision.baseline}"
    yield _text(f"{decision.summary}, {against}", style=_STYLES[decision.verdict])
    if decision.looks is not None:
        yield _text(decision.looks.text, style="dim")
    said = None if decision.ledger is None else ledger_summary(decision.ledger)
    if said is not None:
        yield _text(said, style="dim")


def _student(document: ReportDocument, student: Comparison) -> Iterator[RenderableType]:
    yield Text()
    yield _text(f"{student.student} against {student.teacher}", style="bold cyan")
    level = confidence_text(document.confidence)
    yield from _overall(student, level)
    for suite, name in dict.fromkeys((cell.suite, cell.metric) for cell in student.cells):
        cells = [c for c in student.cells if (c.suite, c.metric) == (suite, name)]
        metric = document.metrics.get(name)
        yield Text()
        yield _text(f"{suite}, {name}, intervals at {level}")
        shown = _worst(cells)
        yield _scores(shown, metric)
        yield Text()
        yield _details(shown, metric)
        if len(shown) < len(cells):
            more = (
                f"the {len(shown) - 1} slices with the lowest retention; {len(cells) - len(shown)}"
            )
            yield _text(f"{more} more are in the written report", style="dim")
        yield from _above_chance(shown)
        yield from _reasons(shown)
    calibration = _calibration(student.cells)
    if calibration is not None:
        yield Text()
        yield calibration
        yield from (_text(line, style="dim") for line in _CALIBRATION_WORDS)
    for line in calibration_lines(document.details_for(student.student), student, brief=True):
        yield _text(line)
    previous = document.previous_for(student.student)
    if previous is not None:
        yield Text()
        yield _text(f"against the previous student, {previous.previous}")
        yield from (_text(line) for line in previous_lines(previous))
    lines = tuple(fidelity_lines(document.details_for(student.student), student))
    if lines:
        yield Text()
        yield _text("imitation of the teacher")
        yield from (_text(line) for line in lines)
    layers = tuple(layer_lines(document.details_for(student.student)))
    if layers:
        yield Text()
        yield _text("what the layers learnt")
        yield from (_text(line) for line in layers)
    yield from student_noise(document.noise, student)
    yield Text()
    yield _speed(document, student)
    yield from (_text(line, style="dim") for line in speed_remarks(document, student))


def _overall(student: Comparison, level: str) -> Iterator[RenderableType]:
    found = student.overall
    if found is None:
        return
    yield Text()
    yield _text(f"{overall_title(found)}, intervals at {level}")
    yield from (_text(f"{row.label}: {row.text}") for row in overall_rows(found))
    yield from (_text(note, style="yellow") for note in overall_notes(found))


def _scores(cells: Sequence[Cell], metric: Metric | None) -> FittingTable:
    table = FittingTable("slice", "n", "teacher", "student", "majority", "retention")
    unit = score_unit(cells, metric)
    for cell in cells:
        table.add_row(
            _text(cell.slice),
            count(cell.n),
            number(cell.teacher_score.estimate, unit),
            number(cell.student_score.estimate, unit),
            number(cell.majority, unit),
            interval_text(cell.retention, "percent"),
        )
    return table


def _details(cells: Sequence[Cell], metric: Metric | None) -> FittingTable:
    unit = difference_unit(cells, metric)
    words = "points" if unit == "points" else "difference"
    table = FittingTable("slice", words, "lost", "gained", "missing", "agreement")
    for cell in cells:
        flips = cell.flips
        agreement = None if cell.agreement is None else cell.agreement.estimate
        table.add_row(
            _text(cell.slice),
            interval_text(cell.difference, unit).replace(" points", ""),
            count(None if flips is None else flips.lost),
            count(None if flips is None else flips.gained),
            count(cell.missing.total),
            number(agreement, "percent"),
        )
    return table


def _worst(cells: Sequence[Cell]) -> list[Cell]:
    """All cells where they are few; else the whole suite and the slices of the lowest bounds."""
    if len(cells) <= _SLICES:
        return list(cells)
    whole = [cell for cell in cells if cell.slice == ALL]
    slices = [cell for cell in cells if cell.slice != ALL]
    slices.sort(key=lambda cell: (cell.retention.low is None, cell.retention.low or 0.0))
    return [*whole, *slices[: _SLICES - len(whole)]]


def _above_chance(cells: Sequence[Cell]) -> Iterator[Text]:
    """Of the whole suites; the written report has the slices."""
    for cell in cells:
        found = cell.retention_above_chance
        if cell.slice == ALL and found is not None and found.estimate is not None:
            guessing = number(cell.chance, "percent")
            figure = interval_text(found, "percent")
            yield _text(f"retention above chance ({guessing}): {figure}")


def _reasons(cells: Sequence[Cell]) -> Iterator[Text]:
    found = {
        f"{cell.slice}: {what}: {interval.reason}"
        for cell in cells
        for what, interval in (("retention", cell.retention), ("difference", cell.difference))
        if interval.reason is not None
    }
    for reason in sorted(found):
        yield _text(reason, style="yellow")
    for cell in cells:
        if cell.slice == ALL and cell.missing.total:
            left_out = f"{counted(cell.missing.total, 'sample')} left out of both sides"
            yield _text(f"{left_out}: {left_out_reasons(cell.missing)}", style="yellow")


def _calibration(cells: Sequence[Cell]) -> FittingTable | None:
    """Of the whole suites; the written report has the slices."""
    headings = ("calibration", "model", "n", "right", "sure", "ECE", "perfect", "Brier", "scaled")
    table = FittingTable(*headings)
    seen: set[str] = set()
    for cell in cells:
        if cell.calibration is None or cell.slice != ALL or cell.suite in seen:
            continue
        seen.add(cell.suite)
        sides = (("teacher", cell.calibration.teacher), ("student", cell.calibration.student))
        for role, side in sides:
            if side is not None:
                table.add_row(_text(cell.suite), role, *_calibration_row(side))
    return table if table.row_count else None


def _calibration_row(side: ModelCalibration) -> list[str]:
    return [
        count(side.n),
        number(side.accuracy, "percent"),
        number(side.mean_confidence, "percent"),
        number(side.ece, "number", 3),
        number(side.ece_null, "number", 3),
        number(side.brier, "number", 3),
        number(side.ece_scaled, "number", 3),
    ]


def _speed(document: ReportDocument, student: Comparison) -> FittingTable:
    table = FittingTable("", "teacher", "student", "student / teacher")
    for row in speed_rows(document, student):
        note = f" ({row.note})" if row.note else ""
        table.add_row(_text(row.name + note), row.teacher, row.student, row.ratio_text)
    return table


def _text(value: str, style: str = "") -> Text:
    return Text(one_line(value), style=style)
