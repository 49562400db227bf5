"""The report on one screen: what a reader decides by; the rest is in the written report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from kdeval.compare.comparison import ALL, Calibration, Cell, Comparison, Missing
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.fitting_table import FittingTable
from kdeval.report.left_out import left_out_reasons
from kdeval.report.noise_terminal import student_noise
from kdeval.report.numbers import count, counted, difference_unit, interval_text, number, score_unit
from kdeval.report.overall import worst_untold
from kdeval.report.plain_text import one_line
from kdeval.report.previous import previous_lines
from kdeval.report.related.layout import Part
from kdeval.report.related.sections import related_sections
from kdeval.report.speed import SpeedRow, speed_rows
from kdeval.report.terminal import gate_renderables

__all__ = ["summary_renderables"]

_ROWS = 14
_LABEL = 40
_ESSENTIAL = ("latency p50", "time to first token, median", "output tokens, mean", "parameters")


def summary_renderables(document: ReportDocument) -> tuple[RenderableType, ...]:
    """Of each student the scores, the worst slices and the ratios; then verdicts and notes."""
    parts: list[RenderableType] = []
    for student in document.students:
        parts.extend(_student(document, student))
    for section in related_sections(document):
        parts += [Text(), _text(section.title, "bold cyan")]
        parts += [line for part in section.parts for line in _related(part)]
    if document.decisions:
        parts.append(Text())
    parts.extend(gate_renderables(document.decisions))
    parts.append(Text())
    parts.extend(_text(f"note: {note}", "dim") for note in document.notes)
    return tuple(parts)


def _student(document: ReportDocument, student: Comparison) -> Iterator[RenderableType]:
    yield Text()
    yield _text(f"{student.student} against {student.teacher}", "bold cyan")
    yield from _overall(student)
    yield Text()
    yield _scores(document, student)
    yield from _reasons(student)
    behaviour = list(_behaviour(student))
    if behaviour:
        yield Text()
    yield from behaviour
    yield from student_noise(document.noise, student)
    previous = document.previous_for(student.student)
    if previous is not None:
        yield _text(f"against the previous student, {previous.previous}")
        yield from (_text(line) for line in previous_lines(previous))
    rows = [row for row in speed_rows(document, student) if _essential(row)]
    if rows:
        yield Text()
        yield _speed(rows)


def _related(part: Part) -> Iterator[RenderableType]:
    """What it comes to in sentences, or its table where the figures are all there is."""
    tables = [table for table in part.tables if table.rows and not table.detail]
    if part.sentences:
        yield _text(f"{part.title}: {' '.join(part.sentences[:2])}")
    elif tables:
        yield _text(part.title)
        table = FittingTable(*(one_line(name) for name in tables[0].header))
        for row in tables[0].rows[:_ROWS]:
            table.add_row(*(_text(cell) for cell in row))
        yield table


def _overall(student: Comparison) -> Iterator[Text]:
    found = student.overall
    if found is None:
        return
    line = f"macro retention, of the means over {counted(len(found.tasks), 'task')}: "
    line += interval_text(found.retention, "percent")
    if found.retention.reason is not None:
        line += f" ({found.retention.reason})"
    untold = worst_untold(found)
    if untold is not None:
        line += f"; {untold}"
    elif found.worst is not None:
        line += f"; worst task {found.worst_task}: {interval_text(found.worst, 'percent')}"
    yield _text(line)


def _scores(document: ReportDocument, student: Comparison) -> FittingTable:
    """Each suite and metric, and under it its slices of the lowest retention."""
    wholes = [cell for cell in student.cells if cell.slice == ALL]
    table = FittingTable("", "n", "teacher", "student", "points", "retention")
    most = max(1, _ROWS // max(1, len(wholes)) - 1)
    for whole in wholes:
        cells = [
            cell for cell in student.cells
            if (cell.suite, cell.metric) == (whole.suite, whole.metric) and cell.slice != ALL
        ]  # fmt: skip
        metric = document.metrics.get(whole.metric)
        units = score_unit([whole, *cells], metric), difference_unit([whole, *cells], metric)
        table.add_row(_label(f"{whole.suite}, {whole.metric}", "bold"), *_figures(whole, *units))
        lowest = sorted(
            (cell for cell in cells if cell.retention.low is not None),
            key=lambda cell: cell.retention.low or 0.0,
        )[:most]
        for cell in lowest:
            table.add_row(_label(f"  {cell.slice}"), *_figures(cell, *units))
        if (left := len(cells) - len(lowest)) > 0:
            more = counted(left, "more slice" if lowest else "slice")
            table.add_row(_label(f"  ... {more}", "dim"), *[""] * 5)
    return table


def _figures(cell: Cell, unit: Unit, points: Unit) -> list[str]:
    shown = count(cell.n)
    if cell.missing.total:
        shown += f" (-{cell.missing.total})"
    return [
        shown,
        number(cell.teacher_score.estimate, unit),
        number(cell.student_score.estimate, unit),
        number(cell.difference.estimate, points).replace(" points", ""),
        interval_text(cell.retention, "percent"),
    ]


def _reasons(student: Comparison) -> Iterator[Text]:
    """Why a whole suite has no retention, and how many samples are missing."""
    missing: dict[str, Missing] = {}
    for cell in student.wholes:
        if cell.retention.reason is not None:
            yield _text(f"{cell.suite}, {cell.metric}: {cell.retention.reason}", "yellow")
        if cell.missing.total > (missing[cell.suite].total if cell.suite in missing else 0):
            missing[cell.suite] = cell.missing
    for suite, found in missing.items():
        left_out = f"{suite}: {counted(found.total, 'sample')} left out"
        yield _text(f"{left_out}: {left_out_reasons(found, brief=True)}", "yellow")


def _behaviour(student: Comparison) -> Iterator[Text]:
    """Flips, agreement and calibration, one line a suite, by its first metric that tells them."""
    for suite in student.suites:
        cells = [cell for cell in student.wholes if cell.suite == suite]
        calibration = next((cell.calibration for cell in cells if cell.calibration), None)
        parts = [*_flips(cells), *_agreement(cells)]
        if said := _errors(calibration):
            parts.append(f"ECE {said}")
        if parts:
            yield _text(f"{suite}: {'; '.join(parts)}")


def _flips(cells: Sequence[Cell]) -> Iterator[str]:
    """By the first metric that is right or wrong, which is named where the suite has others."""
    for cell in cells:
        if cell.flips is not None:
            by = f" by {cell.metric}" if len(cells) > 1 else ""
            yield f"{count(cell.flips.lost)} lost, {count(cell.flips.gained)} gained{by}"
            return


def _agreement(cells: Sequence[Cell]) -> Iterator[str]:
    """By the first metric; named where it matters, since some metrics read another answer."""
    told = [(cell.metric, cell.agreement) for cell in cells if cell.agreement is not None]
    if told:
        (metric, first), *others = told
        by = f" by {metric}" if any(other != first for _, other in others) else ""
        yield f"same output on {number(first.estimate, 'percent')}{by}"


def _errors(calibration: Calibration | None) -> str:
    """Both models' ECE, each beside a perfect model's."""
    sides = () if calibration is None else (calibration.teacher, calibration.student)
    return " → ".join(
        f"{number(side.ece, 'number', 3)} ({number(side.ece_null, 'number', 3)} if perfect)"
        for side in sides
        if side is not None and side.ece is not None
    )


def _essential(row: SpeedRow) -> bool:
    if row.name.startswith("failed"):
        return row.student != "0.0 %" or row.teacher != "0.0 %"
    return row.name in _ESSENTIAL or row.name.startswith("cost")


def _speed(rows: Sequence[SpeedRow]) -> FittingTable:
    table = FittingTable("", "teacher", "student", "student / teacher")
    for row in rows:
        note = f" ({row.note})" if row.note and row.name.startswith(("cost", "latency")) else ""
        table.add_row(_text(row.name + note), row.teacher, row.student, row.ratio_text)
    return table


def _label(value: str, style: str = "") -> Text:
    """The name in one row, slices set in; a long one is cut, as its whole is in the report."""
    text = one_line(value)
    text = text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
    return Text(f"  {text}" if value.startswith("  ") else text, style=style)


def _text(value: str, style: str = "") -> Text:
    return Text(one_line(value), style=style)
