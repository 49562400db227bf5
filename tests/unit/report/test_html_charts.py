from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from kdeval.compare.comparison import Cell
from kdeval.latency.distribution import LatencyDistribution
from kdeval.report.html.charts.drawing import draw
from kdeval.report.html.charts.forest import MOST_ROWS, forest
from kdeval.report.html.charts.latency import latency_chart
from kdeval.report.html.charts.tradeoff import TradeoffPoint, front, tradeoff_chart
from kdeval.stats.binomial import wilson
from kdeval.stats.interval import Interval, unknown

MakeCell = Callable[..., Cell]


def texts(svg: str) -> list[str]:
    return [item.text or "" for item in ElementTree.fromstring(svg).iter("text")]


def spec(label: str) -> dict[str, Any]:
    return {
        "data": {"values": [{"x": 1, "label": label}, {"x": 2, "label": "b"}]},
        "mark": {"type": "line", "clip": True, "color": "var(--accent)"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative"},
            "y": {"field": "label", "type": "nominal"},
        },
    }


def test_a_label_cannot_leave_its_text() -> None:
    """Markup in data stays text of the chart."""
    hostile = '</text></svg><script>alert("1")</script>'
    svg = draw(spec(hostile), title="<b>title</b>", name="a").svg
    assert "<script" not in svg
    assert "<b>" not in svg
    assert hostile in texts(svg)


def test_a_chart_follows_the_theme_and_keeps_its_ids_to_itself() -> None:
    """Colours are variables of the page; ids carry the chart's name; no style attribute."""
    one, other = (draw(spec("a"), title="t", name=name).svg for name in ("one", "two"))
    assert 'stroke="var(--accent)"' in one
    assert 'id="one-0"' in one
    assert "url(#one-0)" in one
    assert 'id="two-0"' in other
    assert "style=" not in one
    assert draw(spec("a"), title="t", name="one").svg == one


def retained(estimate: float | None, low: float = 0.9, high: float = 1.0) -> Interval:
    if estimate is None:
        return unknown("at chance", confidence=0.95, method="m", n=5)
    return Interval(
        estimate=estimate, low=low, high=high, confidence=0.95, method="m", n=9, clusters=None
    )


def test_a_forest_is_sorted_and_counts_what_it_leaves_out(make_cell: MakeCell) -> None:
    """The whole suite, then the lowest retention; slices without one are counted."""
    cells = [
        make_cell("all", retention=retained(0.95)),
        make_cell("a=high", retention=retained(0.99)),
        make_cell("a=low", retention=retained(0.91)),
        make_cell("a=chance", retention=retained(None)),
    ]
    drawn = forest(cells, name="f")
    assert drawn is not None
    assert (drawn.without_retention, drawn.left_out) == (1, 0)
    labels = [text for text in texts(drawn.wide.svg) if text == "the whole suite" or "a=" in text]
    assert labels == ["the whole suite", "a=low", "a=high"]
    many = [make_cell(f"a={index}", retention=retained(0.95)) for index in range(MOST_ROWS + 7)]
    crowded = forest(many, name="f")
    assert crowded is not None
    assert crowded.left_out == 7
    assert forest(cells[:1], name="f") is None


def test_a_forest_survives_extremes(make_cell: MakeCell) -> None:
    """A retention of 1,000 % neither fails nor flattens the rest."""
    cells = [
        make_cell("all", retention=retained(0.95)),
        make_cell("a=b", retention=retained(10.0, 5.0, 20.0)),
    ]
    drawn = forest(cells, name="f")
    assert drawn is not None
    assert "1000.0 % [500.0, over 1,000]" in texts(drawn.wide.svg)
    assert not any("1,000%" in text or "1000%" in text for text in texts(drawn.wide.svg))


def point(model: str, price: float, right: int) -> TradeoffPoint:
    return TradeoffPoint(model=model, teacher=False, price=price, score=wilson(right, 100))


def test_the_front_is_what_none_beats() -> None:
    """Cheapest first; a dearer model is on it only when it scores better."""
    points = [point("big", 10, 95), point("dear", 12, 90), point("small", 1, 80)]
    points.append(point("poor", 1, 70))
    assert [item.model for item in front(points)] == ["small", "big"]
    lower = front(points, higher_is_better=False)
    assert [item.model for item in lower] == ["poor"]


def test_a_tradeoff_needs_two_models() -> None:
    """And prices that a logarithmic axis can show."""
    points = [point("big", 10, 95), point("free", 0, 80)]
    arguments: dict[str, Any] = {
        "axis": "dollars", "unit": "percent", "higher_is_better": True, "title": "t", "name": "n",
    }  # fmt: skip
    assert tradeoff_chart(points, **arguments) is None
    drawn = tradeoff_chart([*points, point("small", 1, 80)], **arguments)
    assert drawn is not None
    assert {"big", "small"} <= set(texts(drawn.svg))
    assert "free" not in texts(drawn.svg)


def test_labels_of_a_tradeoff_do_not_cover_each_other() -> None:
    """Two models of one score, and long names, between the same prices."""
    points = [point("a rather long name of a model", 1, 80), point("another long name", 20, 80)]
    drawn = tradeoff_chart(
        points, axis="dollars", unit="percent", higher_is_better=True, title="t", name="n"
    )
    assert drawn is not None
    heights = re.findall(r'translate\([\d.]+,([\d.]+)\)"[^>]*>an? ?[or]', drawn.svg)
    assert len(heights) == 2
    assert abs(float(heights[0]) - float(heights[1])) >= 12


@pytest.mark.parametrize("seconds", [(0.0,), (0.01,)])
def test_latencies_of_zero_are_not_drawn(seconds: tuple[float, ...]) -> None:
    """A logarithmic axis has no zero; with nothing else there is no chart."""
    found = LatencyDistribution(
        source="recorded", n=1, levels=(1.0,), teacher=seconds, student=seconds
    )
    drawn = latency_chart(found, title="t", name="n")
    assert (drawn is None) == (seconds == (0.0,))
