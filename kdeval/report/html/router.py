"""A router on this run: its curve, its operating point, and simpler rules beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdeval.report.html.charts.drawing import Chart
from kdeval.report.html.charts.routing import RULE_KEYS, router_chart
from kdeval.report.numbers import interval_text, number
from kdeval.report.router_terminal import RULE_NAMES, evaluation_remarks, target_text
from kdeval.routing.evaluate import RouterEvaluation, TaskRow

__all__ = ["RouterView", "router_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """Rules as (mark, name, quality, share to a student, share got worse), the router's first."""

    n: int
    refused: int
    dropped: int
    chart: Chart
    rules: tuple[tuple[str, str, str, str, str], ...]
    tasks: tuple[TaskRow, ...]
    remarks: tuple[str, ...]


def router_view(result: RouterEvaluation) -> RouterView:
    """Everything the evaluation says."""
    own = (
        "◆",
        "this router",
        interval_text(result.quality, "percent"),
        number(result.share, "percent"),
        number(result.lost / result.n, "percent"),
    )
    others = (
        (
            RULE_KEYS[rule.name],
            RULE_NAMES[rule.name],
            number(rule.quality, "percent"),
            number(rule.share, "percent"),
            number(rule.lost_rate, "percent"),
        )
        for rule in result.baselines
    )
    return RouterView(
        n=result.n,
        refused=result.refused,
        dropped=result.dropped,
        chart=router_chart(result, name="router"),
        rules=(own, *others),
        tasks=tuple(replace(row, target=target_text(row, result)) for row in result.tasks),
        remarks=tuple(evaluation_remarks(result)),
    )
