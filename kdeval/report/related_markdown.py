"""How the models of a run relate, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.report.document import ReportDocument
from kdeval.report.markdown_text import Block, table, text
from kdeval.report.related.layout import TextTable
from kdeval.report.related.sections import related_sections

__all__ = ["related_blocks"]


def related_blocks(document: ReportDocument) -> Iterator[Block]:
    """A block a table, after what it comes to in sentences."""
    for section in related_sections(document):
        yield Block(head=f"### {text(section.title)}")
        for part in section.parts:
            sentences = "\n".join(f"- {text(sentence)}" for sentence in part.sentences)
            yield Block(head=f"**{text(part.title)}**\n\n{sentences}".rstrip())
            for found in part.tables:
                if found.rows:
                    yield _block(found)


def _block(found: TextTable) -> Block:
    rows = (
        [
            f"**{text(cell)}**" if (index, place) in found.shown else text(cell)
            for place, cell in enumerate(row)
        ]
        for index, row in enumerate(found.rows)
    )
    header = [text(name) or " " for name in found.header]
    if not found.detail:
        return table(header, rows, left=found.words, title=text(found.title))
    block = table(header, rows, left=found.words)
    return Block(
        head=f"<details><summary>{text(found.title)}</summary>\n\n{block.head}",
        rows=block.rows,
        tail="</details>",
    )
