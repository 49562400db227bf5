"""Which layers of two networks are alike: a square for each two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kdeval.compare.hidden_states import HiddenStateFigures
from kdeval.report.html.charts.drawing import ACCENT, ALARM, INK, Chart, draw

__all__ = ["heat_map"]

_CELL, _MOST = 24, 340
_SHADES = 32
"""Of the colour: cells of one shade that lie side by side are drawn as one."""
_CONTRAST = 4
"""Power of CKA that gives the shade: neighbours in one model differ between 0.9 and 1."""

_STEPS = 20
"""Of the scale beside it."""
_PAPER = "var(--paper)"

Row = dict[str, Any]


def heat_map(found: HiddenStateFigures, *, title: str, name: str) -> Chart | None:
    """CKA by shade, the teacher's layers to the right and the student's upwards.

    Circles are the mapping in order; crosses the nearest layer where that is another one. None
    where there is nothing to compare.
    """
    if not found.pairs:
        return None
    columns, rows = len(found.teacher_layers), len(found.student_layers)
    cell = max(2, min(_CELL, _MOST // max(columns, rows)))  # whole pixels leave no seams
    x = _axis("teacher's layer", found.teacher_layers)
    y = _axis("student's layer", found.student_layers)
    opacity = {"field": "shade", "type": "quantitative", "scale": None}
    point = {
        "type": "point",
        "filled": True,
        "opacity": 1,
        "size": min(45.0, max(6.0, cell**2 / 3)),
    }
    place = {"teacher": found.teacher_layers.index, "student": found.student_layers.index}
    points = [
        {"x": place["teacher"](teacher) + 0.5, "y": place["student"](pair.student) + 0.5}
        | {"kind": kind}
        for pair in found.pairs
        for kind, teacher in (("mapped", pair.teacher), ("nearest", pair.nearest))
        if kind == "mapped" or teacher != pair.teacher
    ]
    layers: list[Row] = [
        {
            "data": {"values": list(_cells(found.cka))},
            "mark": {"type": "rect", "color": ACCENT, "stroke": None},
            "encoding": {
                "x": {"field": "from", **x}, "x2": {"field": "to"},
                "y": {"field": "low", **y}, "y2": {"field": "high"},
                "fillOpacity": opacity,
            },
        },
        _points(points, "mapped", {**point, "fill": _PAPER, "stroke": INK}, x, y),
        _points(points, "nearest", {**point, "shape": "cross", "fill": ALARM}, x, y),
    ]  # fmt: skip
    whole = {"width": cell * columns, "height": cell * rows, "layer": layers}
    spec = {"hconcat": [whole, _legend(cell * rows)], "spacing": 24}
    return draw(spec, title=title, name=name)


def _axis(title: str, numbers: Sequence[int]) -> Row:
    """Places of layers from 0 on, with the layers' numbers at some of them."""
    step = max(1, -(-len(numbers) // 7))
    shown = list(range(0, len(numbers), step))
    labels = {str(index + 0.5): str(numbers[index]) for index in shown}
    return {
        "type": "quantitative",
        "scale": {"domain": [0, len(numbers)], "nice": False, "zero": False},
        "axis": {
            "title": title, "grid": False, "values": [index + 0.5 for index in shown],
            "labelExpr": f"({labels})[datum.value]".replace("'", '"'),
        },
    }  # fmt: skip


def _cells(table: Sequence[Sequence[float | None]]) -> Iterator[Row]:
    """Runs of one shade in each row; what is not known or below 0 has none."""
    for low, row in enumerate(table):
        shades = [0 if value is None else round(_shade(value) * _SHADES) for value in row]
        start = 0
        for end in range(1, len(shades) + 1):
            if end == len(shades) or shades[end] != shades[start]:
                if shades[start]:
                    yield {
                        "from": start, "to": end, "low": low, "high": low + 1,
                        "shade": shades[start] / _SHADES,
                    }  # fmt: skip
                start = end


def _shade(value: float) -> float:
    return float(max(0.0, value) ** _CONTRAST)


def _points(points: Sequence[Row], kind: str, mark: Row, x: Row, y: Row) -> Row:
    return {
        "data": {"values": [point for point in points if point["kind"] == kind]},
        "mark": mark,
        "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}},
    }


def _legend(height: float) -> Row:
    steps = [
        {"low": step / _STEPS, "high": (step + 1) / _STEPS, "shade": _shade((step + 0.5) / _STEPS)}
        for step in range(_STEPS)
    ]
    return {
        "data": {"values": steps},
        "width": 10,
        "height": min(height, 120),
        "mark": {"type": "rect", "color": ACCENT},
        "encoding": {
            "y": {
                "field": "low", "type": "quantitative", "scale": {"domain": [0, 1]},
                "axis": {
                    "title": "CKA", "titleAngle": 0, "titleAlign": "left", "titleX": 0,
                    "titleY": -12, "grid": False, "values": [0, 0.5, 0.8, 1], "orient": "right",
                },
            },
            "y2": {"field": "high"},
            "fillOpacity": {"field": "shade", "type": "quantitative", "scale": None},
        },
    }  # fmt: skip
