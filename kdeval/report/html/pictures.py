"""Which charts stand in a report, and the figures beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kdeval.compare.comparison import Cell, Comparison
from kdeval.records import Metric
from kdeval.report.details import StudentDetails
from kdeval.report.document import ReportDocument
from kdeval.report.html.charts.drawing import Chart
from kdeval.report.html.charts.forest import Forest, forest
from kdeval.report.html.charts.latency import latency_chart
from kdeval.report.html.charts.tradeoff import TradeoffPoint, tradeoff_chart
from kdeval.report.numbers import score_unit
from kdeval.report.plain_text import one_line

__all__ = [
    "ForestView",
    "LatencyView",
    "TradeoffView",
    "forest_views",
    "forests_left_out",
    "latency_view",
    "tradeoff_views",
    "tradeoffs_left_out",
]

_MOST_SUITES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestView:
    """The forest plot of one suite by one metric."""

    suite: str
    metric: str
    forest: Forest


def forest_views(
    student: Comparison, *, name: str, metrics: Mapping[str, Metric] | None = None
) -> tuple[ForestView, ...]:
    """Of the first suites that have slices."""
    views: list[ForestView] = []
    for index, cells in enumerate(_plottable(student)[:_MOST_SUITES]):
        first = cells[0]
        metric = (metrics or {}).get(first.metric)
        found = forest(
            cells,
            name=f"{name}-forest-{index}",
            higher_is_better=metric is None or metric.higher_is_better,
        )
        if found is not None:
            views.append(ForestView(suite=first.suite, metric=first.metric, forest=found))
    return tuple(views)


def forests_left_out(student: Comparison) -> int:
    """Suites by metric with slices that `forest_views` has no room for."""
    return max(0, len(_plottable(student)) - _MOST_SUITES)


def _plottable(student: Comparison) -> list[list[Cell]]:
    """Cells of each suite by metric of which at least two have a retention."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in student.cells:
        groups.setdefault((cell.suite, cell.metric), []).append(cell)
    return [
        cells
        for cells in groups.values()
        if sum(cell.retention.estimate is not None for cell in cells) > 1
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyView:
    """Both distributions."""

    chart: Chart | None
    source: str
    n: int


def latency_view(
    details: StudentDetails | None, student: Comparison, *, name: str
) -> LatencyView | None:
    """None when no latency is known."""
    found = student.latency
    if found is None:
        return None
    chart = None
    if details is not None and details.latency is not None:
        title = (
            f"Latency of {one_line(student.teacher)} and {one_line(student.student)}: "
            "share of requests answered within a time"
        )
        chart = latency_chart(details.latency, title=title, name=f"{name}-latency")
    return LatencyView(
        chart=chart,
        source="probed in a closed loop, one request at a time"
        if found.source == "probe"
        else "as recorded in the logs",
        n=found.n,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeoffView:
    """One suite by one metric: every model's score against its cost and its latency."""

    suite: str
    metric: str
    cost: Chart | None
    latency: Chart | None


def tradeoff_views(document: ReportDocument) -> tuple[TradeoffView, ...]:
    """Of the first suites, as far as costs or latencies are known."""
    views = []
    for index, (suite, metric) in enumerate(_suites(document)[:_MOST_SUITES]):
        cost = _tradeoff(document, suite, metric, "cost", f"tradeoff-{index}-cost")
        latency = _tradeoff(document, suite, metric, "latency", f"tradeoff-{index}-latency")
        if cost is not None or latency is not None:
            views.append(TradeoffView(suite=suite, metric=metric, cost=cost, latency=latency))
    return tuple(views)


def tradeoffs_left_out(document: ReportDocument) -> int:
    """Suites by metric after those that `tradeoff_views` draws."""
    return max(0, len(_suites(document)) - _MOST_SUITES)


def _suites(document: ReportDocument) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys(
            (cell.suite, cell.metric) for student in document.students for cell in student.cells
        )
    )


_AXES = {"cost": "US dollars for 1,000 requests", "latency": "median milliseconds a request"}


def _tradeoff(
    document: ReportDocument, suite: str, name: str, price: str, chart: str
) -> Chart | None:
    points: dict[str, TradeoffPoint] = {}
    cells = []
    for student in document.students:
        cell = student.cell(suite=suite, metric=name)
        if cell is None:
            continue
        cells.append(cell)
        for point in _points(student, cell, price):
            points.setdefault(point.model, point)
    metric = document.metrics.get(name)
    return tradeoff_chart(
        list(points.values()),
        axis=_AXES[price],
        unit=score_unit(cells, metric),
        higher_is_better=metric is None or metric.higher_is_better,
        title=f"Score on {one_line(suite)} by {one_line(name)} against {price}: every model with "
        "its interval, and the front that none of them beats",
        name=chart,
    )


def _points(student: Comparison, cell: Cell, price: str) -> Iterator[TradeoffPoint]:
    prices: Sequence[float | None] = (None, None)
    if price == "cost" and student.cost is not None:
        prices = [
            None if usd is None else usd * 1000
            for usd in (student.cost.teacher_usd, student.cost.student_usd)
        ]
    elif price == "latency" and student.latency is not None:
        medians = (student.latency.teacher.get("p50"), student.latency.student.get("p50"))
        prices = [
            None if found is None or found.estimate is None else found.estimate * 1000
            for found in medians
        ]
    sides = ((student.teacher, cell.teacher_score), (student.student, cell.student_score))
    for index, (model, score) in enumerate(sides):
        paid = prices[index]
        if paid is not None and score.estimate is not None:
            yield TradeoffPoint(model=model, teacher=index == 0, price=paid, score=score)
