"""Tables of speed, length, cost and size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from kdeval.compare.comparison import Comparison
from kdeval.report.document import ReportDocument
from kdeval.report.html.figures import Figure, ratio
from kdeval.report.speed import MEMORY, SpeedRow, speed_remarks, speed_rows

__all__ = ["DEFINED", "SpeedGroup", "SpeedView", "speed_view"]

DEFINED = {
    "latency p50": "time",
    "output tokens, mean": "length",
    "cost of 1,000 requests": "cost",
    "parameters": "size",
    "weights on disk": "size",
    "peak memory": "memory",
}
"""Name of a row to the definition that explains its ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedGroup:
    """Rows of one kind: (row, its ratio, key of its definition or "")."""

    name: str
    rows: tuple[tuple[SpeedRow, Figure, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedView:
    """The table, and what it means in sentences, but for what a definition says."""

    groups: tuple[SpeedGroup, ...]
    remarks: tuple[str, ...]

    @property
    def definitions(self) -> frozenset[str]:
        """Keys of the definitions that its rows need."""
        return frozenset(key for group in self.groups for _, _, key in group.rows if key)


def speed_view(document: ReportDocument, student: Comparison) -> SpeedView:
    """Of what is known of the student and the teacher."""
    return SpeedView(
        groups=tuple(
            SpeedGroup(
                name=name,
                rows=tuple((row, _ratio(row), DEFINED.get(row.name, "")) for row in rows),
            )
            for name, rows in groupby(speed_rows(document, student), key=lambda row: row.group)
        ),
        remarks=tuple(line for line in speed_remarks(document, student) if line != MEMORY),
    )


def _ratio(row: SpeedRow) -> Figure:
    if isinstance(row.ratio, float):
        return Figure(text=row.ratio_text, value=row.ratio)
    return ratio(row.ratio)
