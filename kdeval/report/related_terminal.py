"""How the models of a run relate, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from kdeval.report.document import ReportDocument
from kdeval.report.fitting_table import FittingTable
from kdeval.report.plain_text import one_line
from kdeval.report.related.layout import TextTable
from kdeval.report.related.sections import related_sections

__all__ = ["related_renderables"]


def related_renderables(document: ReportDocument) -> Iterator[RenderableType]:
    """Sentences and tables; details are left to the written report."""
    for section in related_sections(document):
        yield Text()
        yield Text(section.title, style="bold cyan")
        for part in section.parts:
            yield Text()
            yield Text(one_line(part.title))
            yield from (Text(one_line(sentence)) for sentence in part.sentences)
            for found in part.tables:
                if found.rows and not found.detail:
                    yield Text()
                    yield Text(one_line(found.title), style="dim")
                    yield _table(found)


def _table(found: TextTable) -> FittingTable:
    table = FittingTable(*(one_line(name) for name in found.header))
    for index, row in enumerate(found.rows):
        table.add_row(
            *(
                Text(one_line(cell), style="bold" if (index, place) in found.shown else "")
                for place, cell in enumerate(row)
            )
        )
    return table
