"""A table for terminals of any width: where its columns have no room, a row is a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kdeval.report.numbers import UNKNOWN

__all__ = ["FittingTable"]

_LEAST = 10


class FittingTable:
    """A bare table of figures, none of which is ever cut.

    The first column gives way as far as it can. Where that is not enough, each row stands by
    itself: its name, and below it the figures that are known, each after its heading.

    Attributes:
        headings: of the columns.
    """

    def __init__(self, *headings: str, least: int = _LEAST) -> None:
        self.headings = headings
        self._least = least
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """One cell a heading."""
        if len(cells) != len(self.headings):
            raise ValueError(f"{len(cells)} cells for {len(self.headings)} headings")
        self._rows.append(tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells))

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._narrowest() <= options.max_width:
            yield self._table()
        else:
            yield from self._stacked()

    def _narrowest(self) -> int:
        """Columns of a terminal that the figures need beside a first column at its least."""
        return self._least + sum(
            1 + max(cell_len(heading), *(row[column].cell_len for row in self._rows), 0)
            for column, heading in enumerate(self.headings[1:], start=1)
        )

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(self.headings[0], overflow="fold", min_width=self._least)
        for name in self.headings[1:]:
            table.add_column(name, justify="right", no_wrap=True)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _stacked(self) -> Sequence[RenderableType]:
        parts: list[RenderableType] = []
        for name, *figures in self._rows:
            known = [
                Text(f"{heading} ").append_text(figure)
                for heading, figure in zip(self.headings[1:], figures, strict=True)
                if figure.plain.strip() not in ("", UNKNOWN)
            ]
            parts.append(name)
            if known:
                parts.append(Padding(Text(", ").join(known), (0, 0, 0, 2), expand=False))
        return parts
