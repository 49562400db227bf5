"""What is left of the errors when only the most confident answers are kept."""

from __future__ import annotations

from typing import Any

from kdeval.report.html.charts.drawing import ACCENT, INK, Chart, draw
from kdeval.stats.calibration.selective import RiskCoverage

__all__ = ["risk_coverage_chart"]

_WIDTH, _HEIGHT = 190, 210
_SIDE = "datum.side == 'teacher'"


def risk_coverage_chart(
    teacher: RiskCoverage | None, student: RiskCoverage | None, *, title: str, name: str
) -> Chart | None:
    """Share of errors over the share of answers kept; None where neither curve is known.

    The teacher's curve has the colour of the text, the student's the accent.
    """
    rows = [
        {"side": side, "coverage": coverage, "risk": risk}
        for side, curve in (("teacher", teacher), ("student", student))
        if curve is not None
        for coverage, risk in zip(curve.coverage, curve.risk, strict=True)
    ]
    if not rows:
        return None
    highest = max(0.01, *(float(row["risk"]) for row in rows))  # type: ignore[arg-type]
    x = {
        "field": "coverage",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": "kept", "format": ".0%", "values": [0, 0.5, 1], "grid": False},
    }
    y = {
        "field": "risk",
        "type": "quantitative",
        "scale": {"domain": [0, highest], "nice": False},
        "axis": {"title": "wrong among them", "format": ".1~%", "tickCount": 4},
    }
    colour = {"condition": {"test": _SIDE, "value": INK}, "value": ACCENT}
    encoding = {"x": x, "y": y, "color": colour}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "strokeWidth": 1.5},
            "encoding": {**encoding, "detail": {"field": "side"}},
        },
        {
            "transform": [{"filter": "datum.coverage == 1"}],
            "mark": {"type": "point", "size": 26},
            "encoding": encoding,
        },
    ]
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)
