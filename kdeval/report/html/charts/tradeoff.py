"""Quality against what it costs: every model of a run, and the front that none of them beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.gate.quantity import Unit
from kdeval.report.html.charts.drawing import ACCENT, INK, MUTED, RULE, Chart, domain_around, draw
from kdeval.report.plain_text import one_line
from kdeval.stats.interval import Interval

__all__ = ["TradeoffPoint", "front", "tradeoff_chart"]

_WIDTH, _HEIGHT = 250, 210


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeoffPoint:
    """One model: what it costs (more is worse) and its score."""

    model: str
    teacher: bool
    price: float
    score: Interval


def front(points: Sequence[TradeoffPoint], *, higher_is_better: bool = True) -> list[TradeoffPoint]:
    """The models that no other beats on both, cheapest first."""
    sign = 1 if higher_is_better else -1
    best: list[TradeoffPoint] = []
    for point in sorted(points, key=lambda item: (item.price, -sign * _score(item))):
        if not best or sign * _score(point) > sign * _score(best[-1]):
            best.append(point)
    return best


def tradeoff_chart(
    points: Sequence[TradeoffPoint],
    *,
    axis: str,
    unit: Unit,
    higher_is_better: bool,
    title: str,
    name: str,
) -> Chart | None:
    """Score over price on a logarithmic axis; None with fewer than two models to compare.

    Args:
        points: models of which price and score are known.
        axis: what the price is, with its unit.
        unit: of the scores.
        higher_is_better: direction of the scores.
        title: what it shows, in words.
        name: unique on the page.
    """
    usable = [item for item in points if item.price > 0 and item.score.estimate is not None]
    if len(usable) < 2:
        return None
    rows = [_row(item) for item in usable]
    best = front(usable, higher_is_better=higher_is_better)
    ends = [end for row in rows for end in (row["low"], row["high"])]
    share = unit == "percent"
    prices = [item.price for item in usable]
    x = {
        "field": "price",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [min(prices) / 1.6, max(prices) * 1.6], "nice": False},
        "axis": {
            "title": axis,
            "tickCount": 4,
            "format": "~g",
            "labelOverlap": True,
            "grid": False,
            "domain": True,
            "domainColor": RULE,
        },
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
    colour = {"condition": {"test": "datum.teacher", "value": INK}, "value": ACCENT}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{"price": p.price, "score": _score(p)} for p in best]},
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "color": MUTED,
                "strokeDash": [2, 3],
                "strokeWidth": 1,
            },
            "encoding": {"x": x, "y": {"field": "score", **y}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "clip": True},
            "encoding": {
                "x": x,
                "y": {"field": "low", **y},
                "y2": {"field": "high"},
                "color": colour,
            },
        },
        {
            "mark": {"type": "point"},
            "encoding": {"x": x, "y": {"field": "score", **y}, "color": colour},
        },
        {
            "mark": {"type": "text", "dy": -9, "dx": 6, "align": "left", "limit": 130},
            "transform": [{"filter": "!datum.right"}],
            "encoding": {"x": x, "y": {"field": "score", **y}, "text": {"field": "model"}},
        },
        {
            "mark": {"type": "text", "dy": -9, "dx": -6, "align": "right", "limit": 130},
            "transform": [{"filter": "datum.right"}],
            "encoding": {"x": x, "y": {"field": "score", **y}, "text": {"field": "model"}},
        },
    ]
    middle = (min(prices) * max(prices)) ** 0.5
    for row in rows:
        row["right"] = row["price"] > middle
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)


def _score(point: TradeoffPoint) -> float:
    assert point.score.estimate is not None
    return point.score.estimate


def _row(point: TradeoffPoint) -> dict[str, Any]:
    score, found = _score(point), point.score
    return {
        "model": one_line(point.model, 40),
        "teacher": point.teacher,
        "price": point.price,
        "score": score,
        "low": score if found.low is None else found.low,
        "high": score if found.high is None else found.high,
    }
