"""One model's answers under a changed condition beside its own as configured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.selection import Selection
from kdeval.compare.set_scores import set_scores
from kdeval.records import Metric
from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean, paired_difference
from kdeval.stats.moments import is_binary

__all__ = ["SelfDifference", "against_itself"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfDifference:
    """One model against itself under one changed condition, on one slice by one metric.

    Attributes:
        n: samples that count on both sides.
        n_missing: samples left out of both.
        difference: changed minus as configured, paired.
        flips: samples of which right became wrong or wrong right; None for other scores.
        flip_rate: share of them, Clopper-Pearson without clusters.
        scores_changed: samples whose score changed.
        changed: share of samples whose output changed; None where outputs are unknown.
        largest_probability_change: of any label or choice; None without probabilities.
    """

    suite: str
    metric: str
    slice: str
    n: int
    n_missing: int
    clusters: int | None
    score: float | None
    changed_score: float | None
    difference: Interval
    flips: int | None
    flip_rate: Interval | None
    scores_changed: int
    changed: Interval | None
    largest_probability_change: float | None


def against_itself(
    chosen: Selection,
    cell: tuple[str, str, str],
    metric: Metric,
    *,
    confidence: float,
    seed: int,
) -> SelfDifference:
    """How far the changed answers are from those as configured.

    Args:
        chosen: pairs of both; the configured answers stand as the teacher's.
        cell: suite, metric and slice.
        metric: of the scores.
        confidence: two-sided, of every interval.
        seed: of resamples, where the metric is no mean.
    """
    before, after, clusters = chosen.teacher, chosen.student, chosen.clusters
    is_mean = metric.aggregation == "mean"
    binary = is_mean and chosen.n > 0 and is_binary(before) and is_binary(after)
    if is_mean:
        difference = paired_difference(
            before,
            after,
            clusters=clusters,
            confidence=confidence,
            limits=(metric.low, metric.high),
        )
        scores = [float(side.mean()) if chosen.n else None for side in (before, after)]
    else:
        found = set_scores(chosen, metric, seed=seed)
        difference = found.difference(confidence)
        scores = [found.teacher(confidence).estimate, found.student(confidence).estimate]
    moved = before != after
    same = chosen.same
    return SelfDifference(
        suite=cell[0],
        metric=cell[1],
        slice=cell[2],
        n=chosen.n,
        n_missing=chosen.n_missing,
        clusters=None if clusters is None else len(np.unique(clusters)),
        score=scores[0],
        changed_score=scores[1],
        difference=difference,
        flips=int(moved.sum()) if binary else None,
        flip_rate=_share(moved, clusters, confidence) if binary else None,
        scores_changed=int(moved.sum()),
        changed=None if same is None else _share(~same, clusters, confidence),
        largest_probability_change=_largest_change(chosen),
    )


def _share(
    events: NDArray[np.bool_], clusters: NDArray[np.int64] | None, confidence: float
) -> Interval:
    """Exact where samples are independent; else the cluster-robust interval of a rate."""
    if clusters is None or len(np.unique(clusters)) == len(clusters):
        return clopper_pearson(int(events.sum()), len(events), confidence=confidence)
    return mean(events.astype(np.float64), clusters=clusters, confidence=confidence)


def _largest_change(chosen: Selection) -> float | None:
    found = chosen.probabilities
    if found is None:
        return None
    return float(np.abs(np.exp(found.student) - np.exp(found.teacher)).max())
