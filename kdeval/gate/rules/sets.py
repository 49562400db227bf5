"""The figures of metrics that are no mean over samples, bounded by a cluster bootstrap."""

from __future__ import annotations

from kdeval.compare.selection import Selection
from kdeval.compare.set_scores import set_scores
from kdeval.gate.measurement import Judged
from kdeval.gate.resolve import Target
from kdeval.stats.interval import Interval, one_sided

__all__ = ["set_interval"]


def set_interval(judged: Judged, target: Target, chosen: Selection, level: float) -> Interval:
    """Of the target's retention, difference or student's score, with its one-sided bounds."""
    assert target.metric is not None
    found = set_scores(chosen, target.metric, seed=judged.run.manifest.header.seed)
    quantity = {
        "retention": found.retention,
        "difference": found.difference,
        "score": found.student,
    }[target.rule.metric]
    return quantity(one_sided(level))
