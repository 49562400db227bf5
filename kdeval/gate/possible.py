"""What a figure can be at all: an interval is cut off where no value is possible.

Cutting a confidence interval to the space of its parameter takes nothing from its coverage.
"""

from __future__ import annotations

from dataclasses import replace

from kdeval.gate.policy import RuleMetric
from kdeval.records import Metric
from kdeval.stats.interval import Interval

__all__ = ["Ends", "possible_ends", "widest_difference", "within"]

Ends = tuple[float | None, float | None]


def widest_difference(metric: Metric | None, *, share: bool) -> float | None:
    """The largest difference of two scores of `metric`; None where scores are unbounded."""
    if metric is not None and metric.low is not None and metric.high is not None:
        return metric.high - metric.low
    return 1.0 if share else None


def possible_ends(rule_metric: RuleMetric, metric: Metric | None, *, share: bool) -> Ends:
    """The least and the most that a figure can be, None where it has no bound.

    Args:
        rule_metric: the figure.
        metric: of the scores it is made from.
        share: whether those are shares although `metric` does not say so.
    """
    if rule_metric in ("difference", "baseline_difference"):
        widest = widest_difference(metric, share=share)
        return (None, None) if widest is None else (-widest, widest)
    if rule_metric == "transfer_gap":
        widest = widest_difference(metric, share=share)
        return (None, None) if widest is None else (-2 * widest, 2 * widest)
    if rule_metric in ("brier_difference", "macro_difference"):
        return -1.0, 1.0
    if rule_metric == "negative_flips":
        return 0.0, 1.0
    if rule_metric == "macro_retention":
        return 0.0, None
    low, high = (0.0, 1.0) if share else (None, None)
    if metric is not None:
        low = low if metric.low is None else metric.low
        high = high if metric.high is None else metric.high
    if rule_metric == "score":
        return low, high
    if rule_metric == "retention":
        return (0.0 if low is not None and low >= 0 else None), None
    return None, None


def within(interval: Interval, ends: Ends) -> Interval:
    """`interval` without what lies beyond `ends`."""
    least, most = ends
    low, high = interval.low, interval.high
    if low is not None and least is not None:
        low = max(low, least)
    if high is not None and most is not None:
        high = min(high, most)
    return replace(interval, low=low, high=high)
