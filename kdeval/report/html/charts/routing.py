"""Quality against the share of requests that a student answers: a router beside simpler rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdeval.report.html.charts.drawing import ACCENT, MUTED, Chart, domain_around, draw
from kdeval.routing.baselines import BaselineName
from kdeval.routing.evaluate import RouterEvaluation

__all__ = ["RULE_KEYS", "router_chart"]

_WIDTH, _HEIGHT = 330, 230

RULE_KEYS: Mapping[BaselineName, str] = {
    "always_teacher": "T",
    "always_student": "S",
    "random": "R",
    "best_tasks": "B",
    "oracle": "O",
}
"""What stands beside a rule's point; the table beside the chart says what it is."""


def router_chart(result: RouterEvaluation, *, name: str) -> Chart:
    """The router's curve over all thresholds, its operating point, and the baselines."""
    keys: dict[tuple[float, float], list[str]] = {}
    for rule in result.baselines:
        keys.setdefault((round(rule.share, 3), round(rule.quality, 3)), []).append(
            RULE_KEYS[rule.name]
        )
    points = [
        {"share": share, "quality": quality, "label": ", ".join(named)}
        for (share, quality), named in keys.items()
    ]
    own = {
        "share": result.share,
        "quality": result.quality.estimate,
        "low": result.quality.low,
        "high": result.quality.high,
    }
    curve = [{"share": point.share, "quality": point.quality} for point in result.curve]
    heights = [point.quality for point in result.curve]
    heights += [rule.quality for rule in result.baselines]
    heights += [end for end in (result.quality.low, result.quality.high) if end is not None]
    x = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": "share answered by a student", "format": ".0%", "tickCount": 5},
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": domain_around(heights, within=(0, 1)), "zero": False, "nice": False},
        "axis": {"title": "share right", "format": ".0%", "tickCount": 5},
    }
    quality = {"field": "quality", **y}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": _chance_line(result)},
            "mark": {"type": "line", "color": MUTED, "strokeDash": [2, 3], "strokeWidth": 1},
            "encoding": {"x": x, "y": quality},
        },
        {
            "data": {"values": curve},
            "mark": {"type": "line", "color": ACCENT, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": quality, "order": {"field": "share"}},
        },
        {
            "data": {"values": points},
            "mark": {"type": "point", "color": MUTED, "size": 30},
            "encoding": {"x": x, "y": quality},
        },
        {
            "data": {"values": [own]},
            "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": [own]},
            "mark": {"type": "point", "color": ACCENT, "size": 70, "shape": "diamond"},
            "encoding": {"x": x, "y": quality},
        },
        {
            "data": {"values": points},
            "mark": {"type": "text", "dx": 8, "dy": -8, "color": MUTED},
            "encoding": {"x": x, "y": quality, "text": {"field": "label"}},
        },
    ]
    return draw(
        {"width": _WIDTH, "height": _HEIGHT, "layer": layers},
        title="Share right over share answered by a student: the router's curve, its operating "
        "point with its interval, and simpler rules",
        name=name,
    )


def _chance_line(result: RouterEvaluation) -> list[dict[str, float]]:
    """From always-teacher to always-student: what a coin would do at any rate."""
    return [
        {"share": rule.share, "quality": rule.quality}
        for rule in result.baselines
        if rule.name in ("always_teacher", "always_student")
    ]
