"""Retention of every slice with its interval, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.compare.comparison import ALL, Cell
from kdeval.report.html.charts.drawing import ACCENT, INK, MUTED, Chart, domain_around, draw
from kdeval.report.numbers import count, interval_text
from kdeval.report.plain_text import one_line

__all__ = ["MOST_ROWS", "Forest", "forest"]

MOST_ROWS = 80
_ROW = 19
_LABEL = 46
_NARROW_LABEL = 24
_SCALE = (0.0, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """The same plot twice, and how many slices it had no room or no retention for."""

    wide: Chart
    narrow: Chart
    without_retention: int
    left_out: int


def forest(cells: Sequence[Cell], *, name: str, higher_is_better: bool = True) -> Forest | None:
    """Of the cells of one suite and metric, the whole suite first, then the lowest retention.

    None when fewer than two of them have a retention.

    Args:
        cells: of one suite and metric.
        name: of the drawing, its own in the page.
        higher_is_better: direction of the metric; where lower is better, the ratio is the
            teacher's score over the student's.
    """
    known = [cell for cell in cells if cell.retention.estimate is not None]
    if len(known) < 2:
        return None
    known.sort(key=lambda cell: (cell.slice != ALL, cell.retention.estimate))
    shown = known[:MOST_ROWS]
    title = (
        f"Retention by slice of {one_line(cells[0].suite)}, {one_line(cells[0].metric)}: "
        "a point with its interval for each slice; the table above has the same figures"
    )
    return Forest(
        wide=draw(
            _spec(shown, 470, _axis(higher_is_better, wide=True), wide=True),
            title=title,
            name=f"{name}-wide",
        ),
        narrow=draw(
            _spec(shown, 165, _axis(higher_is_better, wide=False), wide=False),
            title=title,
            name=f"{name}-narrow",
        ),
        without_retention=len(cells) - len(known),
        left_out=len(known) - len(shown),
    )


def _axis(higher_is_better: bool, *, wide: bool) -> str:
    student, teacher = ("student's score", "teacher's") if wide else ("student", "teacher")
    if higher_is_better:
        return f"{student} ÷ {teacher}"
    return "teacher's score ÷ student's" if wide else "teacher ÷ student"


def _spec(cells: Sequence[Cell], width: int, axis: str, *, wide: bool) -> dict[str, Any]:
    rows = [_row(index, cell, wide) for index, cell in enumerate(cells)]
    ends = [min(row[end], _SCALE[1]) for row in rows for end in ("low", "high")]
    domain = domain_around(ends, include=(1.0,), within=_SCALE)
    for row in rows:
        row["beyond"] = row["estimate"] > domain[1]
        row["estimate"] = min(row["estimate"], domain[1])
    x = {
        "type": "quantitative",
        "scale": {"domain": domain, "zero": False, "nice": False},
        "axis": {
            "format": ".0%",
            "tickCount": 6 if wide else 3,
            "title": axis,
            "orient": "bottom",
        },
    }
    y = {"field": "row", "type": "ordinal", "sort": None, "axis": None}
    colour = {"condition": {"test": "datum.all", "value": INK}, "value": ACCENT}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{"one": 1.0}]},
            "mark": {"type": "rule", "color": MUTED, "strokeDash": [2, 3]},
            "encoding": {"x": {"field": "one", **x}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "clip": True},
            "encoding": {
                "x": {"field": "low", **x},
                "x2": {"field": "high"},
                "y": y,
                "color": colour,
            },
        },
        {
            "mark": {"type": "point"},
            "encoding": {
                "x": {"field": "estimate", **x},
                "y": y,
                "color": colour,
                "shape": {
                    "condition": [
                        {"test": "datum.beyond", "value": "triangle-right"},
                        {"test": "datum.all", "value": "diamond"},
                    ],
                    "value": "circle",
                },
            },
        },
        _column(y, "label", -10, INK, align="right"),
    ]
    if wide:
        layers += [
            _column(y, "text", width + 14, INK),
            _column(y, "n", width + 210, MUTED, align="right"),
        ]
    longest = max(len(row["label"]) for row in rows)
    return {
        "padding": {"left": 2 + 1.2 * longest, "right": 8, "top": 2, "bottom": 2},
        "data": {"values": rows},
        "width": width,
        "height": _ROW * len(rows),
        "layer": layers,
    }


def _column(
    y: dict[str, Any], field: str, place: int, colour: str, align: str = "left"
) -> dict[str, Any]:
    return {
        "mark": {"type": "text", "align": align, "color": colour},
        "encoding": {"y": y, "x": {"value": place}, "text": {"field": field, "type": "nominal"}},
    }


def _row(index: int, cell: Cell, wide: bool) -> dict[str, Any]:
    found = cell.retention
    assert found.estimate is not None
    label = "the whole suite" if cell.slice == ALL else cell.slice
    return {
        "row": f"r{index:04d}",
        "label": _cut(one_line(label), _LABEL if wide else _NARROW_LABEL),
        "all": cell.slice == ALL,
        "low": found.estimate if found.low is None else found.low,
        "high": found.estimate if found.high is None else found.high,
        "estimate": found.estimate,
        "text": interval_text(found, "percent"),
        "n": f"n {count(cell.n)}",
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
