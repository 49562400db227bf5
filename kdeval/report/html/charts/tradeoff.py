"""Quality against what it costs: every model of a run, and the front that none of them beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.gate.quantity import Unit
from kdeval.report.html.charts.drawing import ACCENT, INK, MUTED, RULE, Chart, domain_around, draw
from kdeval.report.plain_text import one_line
from kdeval.stats.interval import Interval

__all__ = ["TradeoffPoint", "front", "tradeoff_chart"]

_WIDTH, _HEIGHT = 250, 210
_LABEL_WIDTH, _LETTER, _LINE = 130, 6, 12
_OFFSETS = (-9, 15, -22, 28)
"""Pixels from a point to its label, the first that is free: above, below, then further off."""


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
    domains = (
        [min(prices) / 1.6, max(prices) * 1.6],
        domain_around(ends, within=(0.0, 1.0) if share else (-1e9, 1e9)),
    )
    _place_labels(rows, *domains)
    x = {
        "field": "price",
        "type": "quantitative",
        "scale": {"type": "log", "domain": domains[0], "nice": False},
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
        "scale": {"domain": domains[1], "zero": False, "nice": False},
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
        *(
            {
                "mark": {
                    "type": "text", "dx": dx, "dy": {"expr": "datum.dy"}, "align": align,
                    "limit": _LABEL_WIDTH,
                },
                "transform": [{"filter": f"datum.align == '{align}'"}],
                "encoding": {"x": x, "y": {"field": "score", **y}, "text": {"field": "model"}},
            }
            for align, dx in (("left", 6), ("right", -6))
        ),
    ]  # fmt: skip
    spec = {"data": {"values": rows}, "width": _WIDTH, "height": _HEIGHT, "layer": layers}
    return draw(spec, title=title, name=name)


def _place_labels(rows: list[dict[str, Any]], prices: list[float], scores: list[float]) -> None:
    """Gives each row an `align` towards the middle, and a `dy` at which no earlier label stands."""
    taken: list[tuple[float, float, float]] = []
    for row in rows:
        x = _WIDTH * math.log(row["price"] / prices[0]) / math.log(prices[1] / prices[0])
        y = _HEIGHT * (scores[1] - row["score"]) / (scores[1] - scores[0])
        width = min(_LABEL_WIDTH, _LETTER * len(row["model"]))
        left = x + 6 if x <= _WIDTH / 2 else x - 6 - width
        free = (
            dy
            for dy in _OFFSETS
            if -_LINE <= y + dy <= _HEIGHT
            and not any(
                abs(y + dy - line) < _LINE and left < end and start < left + width
                for start, end, line in taken
            )
        )
        row["align"] = "left" if x <= _WIDTH / 2 else "right"
        row["dy"] = next(free, _OFFSETS[0])
        taken.append((left, left + width, y + row["dy"]))


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
