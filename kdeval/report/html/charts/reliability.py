"""What a model claims against what came true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdeval.compare.reliability import ReliabilityBin
from kdeval.report.html.charts.drawing import MUTED, Chart, draw

__all__ = ["reliability_chart"]

_SIDE = 210


def reliability_chart(
    bins: Sequence[ReliabilityBin], *, colour: str, title: str, name: str
) -> Chart:
    """Accuracy over confidence with the exact band of each bin; the diagonal is perfect."""
    rows = [
        {
            "confidence": item.confidence,
            "accuracy": item.accuracy.estimate,
            "low": item.accuracy.low,
            "high": item.accuracy.high,
        }
        for item in bins
    ]
    x = {"field": "confidence", **_axis("confidence")}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{"v": 0.0}, {"v": 1.0}]},
            "mark": {"type": "line", "color": MUTED, "strokeDash": [2, 3], "strokeWidth": 1},
            "encoding": {
                "x": {"field": "v", **_axis("confidence")},
                "y": {"field": "v", **_axis("right")},
            },
        },
        {
            "mark": {"type": "area", "color": colour, "opacity": 0.16},
            "encoding": {
                "x": x,
                "y": {"field": "low", **_axis("right")},
                "y2": {"field": "high"},
            },
        },
        {
            "mark": {"type": "line", "color": colour, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {"field": "accuracy", **_axis("right")}},
        },
        {
            "mark": {"type": "point", "color": colour, "size": 26},
            "encoding": {"x": x, "y": {"field": "accuracy", **_axis("right")}},
        },
    ]
    spec = {"data": {"values": rows}, "width": _SIDE, "height": _SIDE, "layer": layers}
    return draw(spec, title=title, name=name)


def _axis(title: str) -> dict[str, Any]:
    return {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": title, "format": ".0%", "values": [0, 0.5, 1]},
    }
