"""The figures that are read first, and what each of them means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdeval.compare.comparison import ALL, Cell, Comparison
from kdeval.report.document import ReportDocument
from kdeval.report.html.figures import Figure, measured, ratio
from kdeval.report.numbers import (
    UNKNOWN,
    bytes_text,
    count,
    counted,
    interval_text,
    seconds_text,
    usd_text,
)
from kdeval.report.overall import overall_notes
from kdeval.report.plain_text import one_line
from kdeval.report.speed import MEMORY, plain_ratio

__all__ = ["DEFINITIONS", "Headline", "headlines"]

DEFINITIONS = {
    "retention": (
        "Retention: the student's score divided by the teacher's on the same samples. 98 % says "
        "that of every 100 points of the teacher's score the student keeps 98. Where lower is "
        "better it is the teacher's score divided by the student's, so below 100 % is a loss."
    ),
    "worst": (
        "Worst slice: the slice with the lowest retention. The lowest of many estimates is partly "
        "low by chance: judge a slice by its interval, or name it in a policy beforehand."
    ),
    "macro": (
        "Macro retention: the student's score averaged over the tasks, divided by the teacher's "
        "averaged the same way. Every task counts once, however many samples it has; scores that "
        "are not between 0 and 1 are not averaged."
    ),
    "worst_task": (
        "Worst task: the task with the lowest retention, told where every task has one. Its "
        "lower bound holds for every task: the smallest of the tasks' bounds, which needs no "
        "correction; its upper bound is corrected for having been picked among several."
    ),
    "agreement": (
        "Agreement: share of samples on which both give the same output, right or wrong."
    ),
    "time": (
        "Time ratio: the student's median time a request divided by the teacher's. 0.40 says that "
        "a request takes 40 % of the teacher's time: 60 % less time, or 2.5 times as many requests "
        "in the same time. Both are called “60 % faster” or “150 % faster”, so neither is said."
    ),
    "cost": (
        "Cost ratio: the student's mean cost a request divided by the teacher's. 0.10 says that "
        "the same requests cost 10 % of what they did: 90 % saved."
    ),
    "length": (
        "Length ratio: the student's mean number of output tokens divided by the teacher's, over "
        "the same requests; each model counts by its own tokenizer. At 1.80 a student whose tokens "
        "take 0.45 of the teacher's time takes 0.81 of it a request: a verbose student eats its "
        "own speed-up."
    ),
    "size": (
        "Size ratio: the student's number of parameters (or bytes of weights on disk, where that "
        "is said) divided by the teacher's. 0.60 says 60 % of the teacher's size, 40 % smaller. "
        "Fewer bytes for each parameter (quantised weights) make the two ratios differ."
    ),
    "memory": MEMORY,
}

_MOST_SUITES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure of the strip.

    Attributes:
        definition: key of `DEFINITIONS`.
        label: what it is, and of what.
        figure: the figure with its interval.
        note: the same in other words.
    """

    definition: str
    label: str
    figure: Figure
    note: str


def headlines(document: ReportDocument, student: Comparison) -> tuple[Headline, ...]:
    """Retention and agreement of each suite (the first few), the worst slice, and the ratios."""
    wholes = student.wholes
    return (
        *_macro(student),
        *_retentions(wholes),
        *_worst(student.cells),
        *_agreements(document, student, wholes),
        _time(student),
        _cost(student),
        *_length(student),
        _size(document, student),
    )


def _macro(student: Comparison) -> Iterator[Headline]:
    found = student.overall
    if found is None:
        return
    notes = "; ".join(overall_notes(found))
    yield Headline(
        definition="macro",
        label="macro retention",
        figure=measured(found.retention, "percent"),
        note=f"mean of {counted(len(found.tasks), 'task')}" + (f"; {notes}" if notes else ""),
    )
    if found.worst is not None:
        yield Headline(
            definition="worst_task",
            label="worst task",
            figure=measured(found.worst, "percent"),
            note=f"{one_line(found.worst_task or '', 80)}; lowest of {len(found.tasks):,}",
        )


def _retentions(wholes: Sequence[Cell]) -> Iterator[Headline]:
    left = len(wholes) - _MOST_SUITES
    for index, cell in enumerate(wholes[:_MOST_SUITES], start=1):
        more = f"; {left} more in the table" if left > 0 and index == _MOST_SUITES else ""
        yield Headline(
            definition="retention",
            label=f"retention, {cell.suite} by {cell.metric}",
            figure=measured(cell.retention, "percent"),
            note=(cell.retention.reason or f"over {counted(cell.n, 'sample')}") + more,
        )


def _worst(cells: Sequence[Cell]) -> Iterator[Headline]:
    slices = [
        (cell.retention.estimate, index, cell)
        for index, cell in enumerate(cells)
        if cell.slice != ALL and cell.retention.estimate is not None
    ]
    if slices:
        _, _, worst = min(slices)
        yield Headline(
            definition="worst",
            label="worst slice",
            figure=measured(worst.retention, "percent"),
            note=f"{one_line(worst.slice, 80)}; {worst.suite} by {worst.metric}, "
            f"lowest of {len(slices):,}; {counted(worst.n, 'sample')}",
        )


def _agreements(
    document: ReportDocument, student: Comparison, wholes: Sequence[Cell]
) -> Iterator[Headline]:
    seen: set[str] = set()
    for cell in wholes:
        if cell.agreement is None or cell.suite in seen:
            continue
        seen.add(cell.suite)
        if len(seen) > _MOST_SUITES:
            return
        kappa = "" if cell.kappa is None else f"; Cohen's kappa {cell.kappa:.2f}"
        yield Headline(
            definition="agreement",
            label=f"agreement, {cell.suite}",
            figure=measured(cell.agreement, "percent"),
            note=f"same output{kappa}{_ceiling(document, student, cell)}",
        )


def _ceiling(document: ReportDocument, student: Comparison, cell: Cell) -> str:
    noise = document.noise
    found = None if noise is None else noise.ceiling(student.teacher, cell.suite, cell.metric)
    if found is None:
        return ""
    return f"; {student.teacher} agrees with itself on {interval_text(found, 'percent')}"


def _time(student: Comparison) -> Headline:
    found = student.latency
    if found is None or "p50" not in found.ratio:
        return _unknown("time", "time ratio", "no latency was measured or recorded")
    teacher, own = found.teacher["p50"].estimate, found.student["p50"].estimate
    return Headline(
        definition="time",
        label="time ratio, median",
        figure=ratio(found.ratio["p50"]),
        note=f"{seconds_text(own)} against {seconds_text(teacher)} a request, "
        + ("probed at batch 1" if found.source == "probe" else "as recorded")
        + f", n = {found.n:,}",
    )


def _cost(student: Comparison) -> Headline:
    found = student.cost
    if found is None or found.ratio is None:
        reason = None if found is None else found.reason
        return _unknown("cost", "cost ratio", reason or "no cost is known")
    return Headline(
        definition="cost",
        label="cost ratio, mean",
        figure=ratio(found.ratio),
        note=f"{usd_text(found.student_usd)} against {usd_text(found.teacher_usd)} "
        "for 1,000 requests" + ("" if found.coverage is None else f"; {found.coverage}"),
    )


def _length(student: Comparison) -> Iterator[Headline]:
    found = None if student.tokens is None else student.tokens.output
    if found is None or found.ratio is None or found.teacher is None or found.student is None:
        return
    partly = f"; {found.coverage}" if found.n < found.total else ""
    yield Headline(
        definition="length",
        label="length ratio, mean output",
        figure=ratio(found.ratio),
        note=f"{found.student:,.1f} against {found.teacher:,.1f} tokens a request{partly}",
    )


def _size(document: ReportDocument, student: Comparison) -> Headline:
    teacher, own = document.model(student.teacher), document.model(student.student)
    if teacher is not None and own is not None:
        on_disk, share = "", 0.0
        if teacher.bytes_on_disk and own.bytes_on_disk:
            share = own.bytes_on_disk / teacher.bytes_on_disk
            on_disk = f"{bytes_text(own.bytes_on_disk)} against {bytes_text(teacher.bytes_on_disk)}"
        if teacher.parameters and own.parameters:
            also = f"; on disk {plain_ratio(share)}, {on_disk}" if on_disk else ""
            return _size_of(
                "size ratio, parameters",
                own.parameters / teacher.parameters,
                f"{count(own.parameters)} against {count(teacher.parameters)} parameters{also}",
            )
        if on_disk:
            return _size_of("size ratio, bytes on disk", share, on_disk)
    return _unknown("size", "size ratio", "the size of one of the models is unknown")


def _size_of(label: str, value: float, note: str) -> Headline:
    figure = Figure(text=plain_ratio(value), value=value)
    return Headline(definition="size", label=label, figure=figure, note=note)


def _unknown(definition: str, label: str, reason: str) -> Headline:
    return Headline(definition=definition, label=label, figure=Figure(text=UNKNOWN), note=reason)
