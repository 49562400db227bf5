"""The report as Markdown, fit for a pull request comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdeval.compare.comparison import Cell, Comparison
from kdeval.gate.ledger import ErrorLedger
from kdeval.report.calibration_markdown import calibration_blocks
from kdeval.report.document import ReportDocument
from kdeval.report.examples import Example, Examples
from kdeval.report.fidelity_words import fidelity_lines
from kdeval.report.gate_markdown import gate_blocks
from kdeval.report.layer_words import layer_lines
from kdeval.report.ledger import ASYMPTOTIC, ledger_rows
from kdeval.report.left_out import left_out_reasons
from kdeval.report.markdown_text import GITHUB_LIMIT, Block, code, compose, table, text
from kdeval.report.noise_words import ceiling_lines, warning_lines
from kdeval.report.numbers import (
    UNKNOWN,
    confidence_text,
    count,
    difference_unit,
    interval_text,
    number,
    score_unit,
)
from kdeval.report.overall import overall_notes, overall_rows, overall_title
from kdeval.report.previous import previous_lines
from kdeval.report.related_markdown import related_blocks
from kdeval.report.speed import speed_remarks, speed_rows

__all__ = ["report_markdown"]

_TEXT = 300
_EXAMPLES = 40


def report_markdown(document: ReportDocument, *, limit: int = GITHUB_LIMIT) -> str:
    """The report in at most `limit` characters; what had no room is counted."""
    blocks = [Block(head=f"## kdeval: {text(document.name)}")]
    for decision in document.decisions:
        blocks.extend(gate_blocks(decision))
    for student in document.students:
        blocks.extend(_student_blocks(document, student))
    blocks.extend(related_blocks(document))
    blocks.extend(_note_blocks(document))
    for examples in document.examples:
        blocks.extend(_example_blocks(document, examples))
    return compose(blocks, limit=limit)


def _student_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    yield Block(head=f"### {code(student.student)} against its teacher {code(student.teacher)}")
    level = confidence_text(document.confidence)
    yield from _overall_blocks(student, level)
    for suite, metric in dict.fromkeys((cell.suite, cell.metric) for cell in student.cells):
        cells = [c for c in student.cells if (c.suite, c.metric) == (suite, metric)]
        yield _score_table(document, cells, f"{code(suite)}, {code(metric)}, intervals at {level}")
        reasons = _reasons(cells)
        if reasons:
            yield Block(head="\n".join(f"- {reason}" for reason in reasons))
    yield from _noise_blocks(document, student)
    yield from _previous_blocks(document, student)
    yield from calibration_blocks(document, student)
    yield from _fidelity_blocks(document, student)
    yield from _layer_blocks(document, student)
    yield from _speed_blocks(document, student)


def _overall_blocks(student: Comparison, level: str) -> Iterator[Block]:
    found = student.overall
    if found is None:
        return
    rows = [[text(row.label), row.text] for row in overall_rows(found)]
    yield table(["", "figure"], rows, title=f"{overall_title(found)}, intervals at {level}")
    notes = [f"- {text(note)}" for note in overall_notes(found)]
    if notes:
        yield Block(head="\n".join(notes))


def _noise_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    lines = [
        *(
            f"- ⚠ below the noise floor: {text(line)}"
            for line in warning_lines(document.noise, student)
        ),
        *(f"- {text(line)}" for line in ceiling_lines(document.noise, student)),
    ]
    if lines:
        yield Block(head="\n".join(lines))


def _score_table(document: ReportDocument, cells: list[Cell], title: str) -> Block:
    metric = document.metrics.get(cells[0].metric)
    unit, points = score_unit(cells, metric), difference_unit(cells, metric)
    above = any(cell.retention_above_chance is not None for cell in cells)
    header = [
        "slice",
        "n",
        "missing",
        "teacher",
        "student",
        "majority",
        "retention",
        *(["above chance"] if above else []),
        "difference",
        "lost / gained",
        "agreement",
    ]
    rows = [
        [
            code(cell.slice),
            count(cell.n),
            count(cell.missing.total),
            number(cell.teacher_score.estimate, unit),
            number(cell.student_score.estimate, unit),
            number(cell.majority, unit),
            interval_text(cell.retention, "percent"),
            *([interval_text(cell.retention_above_chance, "percent")] if above else []),
            interval_text(cell.difference, points),
            UNKNOWN
            if cell.flips is None
            else f"{count(cell.flips.lost)} / {count(cell.flips.gained)}",
            number(None if cell.agreement is None else cell.agreement.estimate, "percent"),
        ]
        for cell in cells
    ]
    return table(header, rows, title=title, what="slices")


def _reasons(cells: list[Cell]) -> list[str]:
    """Why figures of these cells are missing, each reason once."""
    found: dict[str, None] = {}
    for cell in cells:
        for what, interval in (("retention", cell.retention), ("difference", cell.difference)):
            if interval.reason is not None:
                found[f"{code(cell.slice)}: {what}: {text(interval.reason)}"] = None
        missing = cell.missing
        if missing.total and cell is cells[0]:
            found[f"left out of both sides: {text(left_out_reasons(missing))}"] = None
    return list(found)


def _previous_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    found = document.previous_for(student.student)
    if found is not None:
        yield Block(
            head=f"Against the previous student {code(found.previous)}\n",
            rows=tuple(f"- {text(line)}" for line in previous_lines(found)),
            what="suites",
        )


def _fidelity_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    lines = tuple(fidelity_lines(document.details_for(student.student), student))
    if lines:
        yield Block(
            head="Imitation of the teacher\n",
            rows=tuple(f"- {text(line)}" for line in lines),
            what="suites",
        )


def _layer_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    lines = tuple(layer_lines(document.details_for(student.student)))
    if lines:
        yield Block(
            head="What the layers learnt\n",
            rows=tuple(f"- {text(line)}" for line in lines),
            what="suites",
        )


def _speed_blocks(document: ReportDocument, student: Comparison) -> Iterator[Block]:
    rows = [
        [
            text(f"{row.name} ({row.note})" if row.note else row.name),
            row.teacher,
            row.student,
            row.ratio_text,
        ]
        for row in speed_rows(document, student)
    ]
    header = ["", "teacher", "student", "student / teacher"]
    yield table(header, rows, title="Speed, length, cost, size")
    remarks = speed_remarks(document, student)
    if remarks:
        yield Block(head="\n".join(f"- {text(line)}" for line in remarks))


def _note_blocks(document: ReportDocument) -> Iterator[Block]:
    header = document.header
    notes = [text(note) for note in (*document.model_notes, *document.notes)]
    made = f"kdeval {text(header.kdeval)}, seed {header.seed}, {text(header.created)}"
    if header.git_revision is not None:
        made += f", revision {code(header.git_revision)}"
    if document.ledger is not None:
        yield _ledger_table(document.ledger)
    yield Block(head="\n".join(f"- {note}" for note in [*notes, made]))


def _ledger_table(ledger: ErrorLedger) -> Block:
    header = ["what may go wrong", "promise", "why", "error", "tests"]
    rows = [
        [text(wrong), promise, text(reason), error, tests]
        for wrong, error, tests, promise, reason in ledger_rows(ledger)
    ]
    return table(header, rows, left=3, title=f"Error ledger. {ASYMPTOTIC}", what="errors")


def _example_blocks(document: ReportDocument, examples: Examples) -> Iterator[Block]:
    flips = examples.flips
    if not flips:
        return
    several = len(examples.counts) > 1
    told = (
        (f"by {text(item.metric)} " if several else "")
        + f"{count(item.lost)} lost, {count(item.gained)} gained"
        for item in flips
    )
    summary = f"{text(examples.student)}: {'; '.join(told)}"
    if not document.text_included:
        yield Block(head=f"{summary} (this report is without text)")
        return
    shown = _spread([item for item in examples.items if item.kind == "lost"])
    shown += _spread([item for item in examples.items if item.kind == "gained"])
    drawn = ""
    if len(shown) < sum(item.lost + item.gained for item in flips):
        drawn = f"; {count(len(shown))} of them drawn at random"
    header = ["sample", "", "input", "reference", "teacher", "student"]
    rows = (_example_row(item, several=several) for item in shown)
    block = table(header, rows, left=len(header))
    yield Block(
        head=f"<details><summary>{summary}{drawn}</summary>\n\n{block.head}",
        rows=block.rows,
        tail="</details>",
        what="samples",
    )


def _spread(items: Sequence[Example]) -> list[Example]:
    """At most `_EXAMPLES` of the items, evenly from the first to the last."""
    step = max(1, -(-len(items) // _EXAMPLES))
    return list(items[::step])


def _example_row(example: Example, *, several: bool) -> list[str]:
    """A row; of several metrics it names its own, for one sample may have a row by each."""
    place = f"{text(example.suite)} {code(example.sample_id, 80)}"
    kind = f"{example.kind} by {text(example.metric)}" if several else example.kind
    said = example.text
    if said is None:
        return [place, kind, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    asked = [code(said.input, _TEXT)]
    if said.tools is not None:
        names = [line.partition("(")[0] for line in said.tools.splitlines()]
        asked.append(f"tools: {code(', '.join(names), _TEXT)}")
    if said.response_schema is not None:
        asked.append(f"schema: {code(said.response_schema, _TEXT)}")
    answers = (said.reference, said.teacher_output, said.student_output)
    return [
        place,
        kind,
        "<br>".join(asked),
        *(UNKNOWN if item is None else code(item, _TEXT) for item in answers),
    ]
