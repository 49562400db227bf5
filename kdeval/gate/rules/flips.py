"""Negative flips: what the baseline student had right and the new one has wrong.

A student that scores a point more may still break what users had come to rely on. Source: Yan et
al. (2021), Positive-congruent training, CVPR.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from kdeval.errors import ConfigError
from kdeval.gate.measurement import FloatArray, IntArray, Judged, Measurement
from kdeval.gate.resolve import Target
from kdeval.gate.rules.scores import paired_with_baseline
from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.means.paired import mean
from kdeval.stats.moments import as_clusters, is_binary

__all__ = ["measure_negative_flips", "share_of_flips"]


def measure_negative_flips(judged: Judged, target: Target, level: float) -> Measurement:
    """Share of samples that flip from right to wrong, on those that did not change since."""
    chosen, found, clusters, remarks = paired_with_baseline(judged, target)
    before, after = found.scores, chosen.student[found.rows]
    if not (is_binary(before) and is_binary(after)):
        raise ConfigError(
            f"{target.place}: {target.score!r} is not right or wrong, so nothing flips: use "
            "baseline_difference"
        )
    better = 1.0 if target.metric is None or target.metric.higher_is_better else 0.0
    lost = ((before == better) & (after != better)).astype(np.float64)
    limit = target.rule.limit
    return Measurement(
        interval=share_of_flips(lost, clusters, one_sided(level)),
        margins=limit - lost,
        clusters=clusters,
        left_out=chosen.n_missing + found.left_out,
        floor=None
        if as_clusters(clusters, len(lost)) is not None
        else math.ceil(math.log(1 - level) / math.log1p(-limit)),
        remarks=remarks,
    )


def share_of_flips(flips: FloatArray, clusters: IntArray | None, confidence: float) -> Interval:
    """Exact (Clopper-Pearson); with clusters the score interval with their design effect.

    Args:
        flips: 1 where the sample flips, else 0, shape (n,).
        clusters: codes, None when every sample is its own unit.
        confidence: two-sided.
    """
    if as_clusters(clusters, len(flips)) is None:
        found = clopper_pearson(round(float(flips.sum())), len(flips), confidence=confidence)
    else:
        found = mean(flips, clusters=clusters, confidence=confidence)
    return replace(found, method=f"share of flips, {found.method}")
