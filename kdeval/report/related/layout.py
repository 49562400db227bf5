"""Sections of a report as sentences and tables of text, for every form of the report to set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdeval.compare.figures.relations import CheckpointPoint
from kdeval.gate.quantity import Unit
from kdeval.report.document import ReportDocument
from kdeval.report.numbers import difference_unit, score_unit

__all__ = ["Curve", "Part", "Section", "TextTable", "units"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table of figures written out.

    Attributes:
        title: what it shows.
        header: headings of the columns.
        rows: as many cells as headings.
        words: how many of the first columns are words; the rest are figures.
        shown: (row, column) of the cells whose claim is shown, which are set off.
        detail: whether it may be folded away, or left to the written report.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    shown: frozenset[tuple[int, int]] = frozenset()
    detail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A learning curve: scores over training steps, for forms that can draw."""

    points: tuple[CheckpointPoint, ...]
    unit: Unit
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One suite by one metric: what it comes to in sentences, then the figures."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[TextTable, ...]
    curve: Curve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the report.

    Attributes:
        lead: what it says and what it rests on.
    """

    anchor: Literal["students", "series", "ensembles", "transfer"]
    title: str
    lead: str
    parts: tuple[Part, ...]


def units(document: ReportDocument, suites: Sequence[str], metric: str) -> tuple[Unit, Unit]:
    """How scores by `metric` on these suites are written, and how their differences are."""
    cells = [
        cell
        for student in document.students
        for cell in student.cells
        if cell.suite in suites and cell.metric == metric
    ]
    found = document.metrics.get(metric)
    return score_unit(cells, found), difference_unit(cells, found)
