"""A student's score as its training goes on."""

from __future__ import annotations

from typing import Any

from kdeval.report.html.charts.drawing import ACCENT, Chart, domain_around, draw
from kdeval.report.plain_text import one_line
from kdeval.report.related.layout import Curve

__all__ = ["curve_chart"]

_WIDTH, _HEIGHT = 330, 190


def curve_chart(curve: Curve, *, name: str) -> Chart | None:
    """Score with its interval over training steps; None with fewer than two known scores."""
    rows = [
        {
            "step": point.step,
            "score": point.score.estimate,
            "low": point.score.estimate if point.score.low is None else point.score.low,
            "high": point.score.estimate if point.score.high is None else point.score.high,
        }
        for point in curve.points
        if point.score.estimate is not None
    ]
    if len(rows) < 2:
        return None
    ends = [float(row[end]) for row in rows for end in ("low", "high")]
    share = curve.unit == "percent"
    x = {
        "field": "step",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False},
        "axis": {"title": "training step", "grid": False, "tickCount": 5, "format": "~s"},
    }
    y = {
        "type": "quantitative",
        "scale": {
            "domain": domain_around(ends, within=(0.0, 1.0) if share else (-1e9, 1e9)),
            "zero": False,
            "nice": False,
        },
        "axis": {"title": "score", "format": ".0%" if share else "~g", "tickCount": 5},
    }
    score = {"field": "score", **y}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "area", "color": ACCENT, "opacity": 0.16},
            "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "color": ACCENT, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": score},
        },
        {"mark": {"type": "point", "color": ACCENT}, "encoding": {"x": x, "y": score}},
    ]
    return draw(
        {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers},
        title=f"Score over training steps with its interval: {one_line(curve.title)}",
        name=name,
    )
