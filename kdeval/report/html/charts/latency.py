"""How long requests take: the whole distribution of both models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdeval.latency.distribution import LatencyDistribution
from kdeval.report.html.charts.drawing import ACCENT, INK, MUTED, Chart, draw

__all__ = ["latency_chart"]

_WIDTH, _HEIGHT = 300, 190
_MARKS: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def latency_chart(found: LatencyDistribution, *, title: str, name: str) -> Chart | None:
    """Share of requests answered within a time, on a logarithmic axis; None without positive times.

    The teacher's curve has the colour of the text, the student's the accent.
    """
    sides = (("teacher", found.teacher), ("student", found.student))
    rows = [
        {"side": side, "level": level, "ms": 1000 * seconds}
        for side, values in sides
        for level, seconds in zip(found.levels, values, strict=True)
        if seconds > 0
    ]
    if not rows:
        return None
    times = [float(row["ms"]) for row in rows]  # type: ignore[arg-type]
    x = {
        "field": "ms",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(times) / 1.15, max(times) * 1.15], "nice": False},
        "axis": {
            "title": "milliseconds a request",
            "tickCount": 4,
            "format": "~g",
            "labelOverlap": True,
            "grid": False,
        },
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {
            "title": "answered within",
            "format": ".0%",
            "values": [0, 0.25, 0.5, 0.75, 1],
        },
    }
    colour = {"condition": {"test": "datum.side == 'teacher'", "value": INK}, "value": ACCENT}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{"level": level} for level in _MARKS.values()]},
            "mark": {"type": "rule", "color": MUTED, "strokeDash": [1, 3]},
            "encoding": {"y": {"field": "level", **y}},
        },
        {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5},
            "encoding": {
                "x": x,
                "y": {"field": "level", **y},
                "detail": {"field": "side"},
                "color": colour,
            },
        },
    ]
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)
