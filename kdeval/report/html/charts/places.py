"""How far the student lies from the teacher, by place in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdeval.compare.token_fidelity import PlaceFigures
from kdeval.report.html.charts.drawing import ACCENT, Chart, draw

__all__ = ["place_text", "places_chart"]

_WIDTH, _HEIGHT = 300, 150


def place_text(place: PlaceFigures) -> str:
    """The tokens of a part of the answers: "1", "2–4", "1025 on"."""
    if place.last is None:
        return f"{place.first} on"
    return str(place.first) if place.first == place.last else f"{place.first}–{place.last}"


def places_chart(places: Sequence[PlaceFigures], *, title: str, name: str) -> Chart | None:
    """Mean KL with its interval for each part; None where there is only one."""
    known = [place for place in places if place.kl.estimate is not None]
    if len(known) < 2:
        return None
    rows = [
        {
            "place": place_text(place),
            "kl": place.kl.estimate,
            "low": place.kl.estimate if place.kl.low is None else place.kl.low,
            "high": place.kl.estimate if place.kl.high is None else place.kl.high,
        }
        for place in known
    ]
    x = {
        "field": "place",
        "type": "ordinal",
        "sort": None,
        "axis": {"title": "token of the answer", "labelAngle": 0, "grid": False},
    }
    y: dict[str, Any] = {
        "type": "quantitative",
        "scale": {"zero": True},
        "axis": {"title": "KL, nats a token", "tickCount": 4},
    }
    layers = [
        {
            "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "color": ACCENT},
            "encoding": {"x": x, "y": {"field": "kl", **y}},
        },
    ]
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)
