"""Bounds of a rule's figure that hold at every sample size: betting, where the range is known."""

from __future__ import annotations

from dataclasses import replace

from kdeval.gate.measurement import Measurement
from kdeval.gate.possible import possible_ends
from kdeval.gate.resolve import Target
from kdeval.stats import betting
from kdeval.stats.interval import one_sided
from kdeval.stats.moments import as_clusters

__all__ = ["bet_on", "betting_range"]

Range = tuple[float, float]

_UNBOUNDED = "the teacher's score is not clearly above zero at this n"
_RATIOS = ("retention",)
_MEANS = ("difference", "baseline_difference", "score", "brier_difference", "error_share",
          "negative_flips")  # fmt: skip


def betting_range(target: Target) -> Range | None:
    """Where the figure of a single sample lies; None where nothing limits it, or it is no mean.

    For retention: where a score lies, from 0 up.
    """
    if target.rule.metric == "error_share":
        return 0.0, 1.0
    if target.metric is not None and target.metric.aggregation != "mean":
        return None
    if target.rule.metric in _RATIOS:
        low, high = possible_ends("score", target.metric, share=target.share)
        return None if low is None or high is None or low < 0 else (0.0, high)
    if target.rule.metric not in _MEANS:
        return None
    low, high = possible_ends(target.rule.metric, target.metric, share=target.share)
    return None if low is None or high is None else (low, high)


def bet_on(
    measured: Measurement, target: Target, *, level: float, largest_cluster: int
) -> Measurement:
    """`measured` with one-sided bounds at `level` that hold at all sample sizes together.

    Args:
        measured: of a rule that has a `betting_range`.
        target: the rule.
        level: one-sided.
        largest_cluster: the most samples that a cluster can have, fixed before the first look.
    """
    value_range = betting_range(target)
    if value_range is None or measured.margins is None or measured.interval.estimate is None:
        return measured
    codes = as_clusters(measured.clusters, len(measured.margins))
    largest = None if measured.clusters is None else largest_cluster
    confidence = one_sided(level)
    if measured.scores is not None:
        teacher, student = (scores / value_range[1] for scores in measured.scores)
        ends = betting.ratio_limits(
            student, teacher, codes, chance=0.0, confidence=confidence, largest_cluster=largest
        )
    else:
        limit = target.rule.limit
        towards = 1 if target.rule.direction == "min" else -1
        ends = betting.mean_limits(
            limit + towards * measured.margins,
            codes,
            value_range=value_range,
            confidence=confidence,
            largest_cluster=largest,
        )
    interval = replace(
        measured.interval,
        low=ends[0],
        high=ends[1],
        method=f"{betting.METHOD}, at every look",
        reason=_UNBOUNDED if None in ends else None,
    )
    return replace(measured, interval=interval)
