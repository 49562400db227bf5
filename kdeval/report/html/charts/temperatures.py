"""Teacher and student over the temperatures of distillation."""

from __future__ import annotations

from typing import Any

from kdeval.report.html.charts.drawing import ACCENT, INK, MUTED, Chart, draw
from kdeval.stats.fidelity.distillation import DistillationTemperature

__all__ = ["temperature_chart"]

_WIDTH, _HEIGHT = 200, 210


def temperature_chart(found: DistillationTemperature, *, title: str, name: str) -> Chart | None:
    """What the student loses of the teacher, and the teacher's mass off the label, over T.

    The interval of the closest temperature is a band, the closest itself a point. None without
    samples.
    """
    steps = found.steps
    if not steps:
        return None
    rows = [{"T": step.temperature, "other": step.non_target, "lost": step.lost} for step in steps]
    known = [value for row in rows for value in (row["other"], row["lost"]) if value is not None]
    highest = max(0.05, max(known) if max(known) > 1 else min(1.0, 1.05 * max(known)))
    x = {
        "field": "T",
        "type": "quantitative",
        "scale": {"domain": [steps[0].temperature, steps[-1].temperature], "nice": False},
        "axis": {"title": "temperature", "values": [1, 2, 4, 6, 8, 10], "grid": False},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, highest], "nice": False},
        "axis": {"title": None, "format": ".0%", "tickCount": 4},
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "color": INK, "strokeWidth": 1.5, "strokeDash": [4, 3]},
            "encoding": {"x": x, "y": {"field": "other", **y}},
        }
    ]
    if any(row["lost"] is not None for row in rows):
        lost = {"field": "lost", **y}
        layers.append(
            {
                "mark": {"type": "line", "color": ACCENT, "strokeWidth": 1.5},
                "encoding": {"x": x, "y": lost},
            }
        )
        if found.closest is not None:
            layers.append(
                {
                    "transform": [{"filter": f"datum.T == {found.closest}"}],
                    "mark": {"type": "point", "color": ACCENT, "size": 42},
                    "encoding": {"x": x, "y": lost},
                }
            )
    if found.low is not None and found.high is not None and found.low < found.high:
        layers.insert(
            0,
            {
                "data": {"values": [{"T": found.low, "end": found.high}]},
                "mark": {"type": "rect", "color": MUTED, "opacity": 0.12},
                "encoding": {"x": x, "x2": {"field": "end"}},
            },
        )
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)
