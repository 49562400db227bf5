"""Whether confidence tells right answers from wrong ones: the area under the ROC curve."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from kdeval.stats.calibration.groups import Groups
from kdeval.stats.critical import normal_critical, t_critical
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, as_clusters, as_scores, is_binary, moments

ONE_KIND = "every answer is {}, so confidence has nothing to tell apart"
_METHOD = "DeLong, logit scale"


def areas(groups: Groups, right: FloatArray) -> FloatArray:
    """AUROC of each row of right answers, (s, g) to (s,); NaN where all or none are right."""
    wrong = groups.count - right
    below = np.cumsum(wrong, axis=1) - wrong
    won = (right * (below + wrong / 2)).sum(axis=1)
    pairs = right.sum(axis=1) * wrong.sum(axis=1)
    with np.errstate(invalid="ignore"):
        found: FloatArray = np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1.0), np.nan)
    return found


def confidence_auroc(
    score: ArrayLike,
    right: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """P(a right answer has more confidence than a wrong one), ties counting half.

    Any score that grows with confidence will do, log-probabilities included. The variance is that
    of the placement values; with clusters they are summed by cluster first (t with G - 1 degrees of
    freedom). Asymptotic: needs some tens of right and of wrong answers.

    Args:
        score: Shape (n,), finite.
        right: 0 or 1, shape (n,).
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.

    Returns:
        The interval; no estimate where every answer is right, or every answer wrong.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44; Obuchowski (1997), Biometrics 53.
    """
    check_confidence(confidence)
    x, y = as_scores(score, "score"), as_scores(np.asarray(right, dtype=np.float64), "right")
    if x.shape != y.shape or not is_binary(y):
        raise ValueError("score and right must have one length, and right must be 0 or 1")
    n, wins = len(x), int(y.sum())
    if wins in (0, n):
        reason = ONE_KIND.format("right" if wins else "wrong") if n else "no samples"
        return unknown(reason, confidence=confidence, method=_METHOD, n=n)
    codes = as_clusters(clusters, n)
    placements = _placements(x, y == 1)
    area = float(placements[y == 1].mean())
    influence = np.where(y == 1, n / wins, n / (n - wins)) * (placements - area)
    found = moments([influence], codes)
    spread = math.sqrt(found.variance([1.0]))
    groups = found.clusters
    if area in (0.0, 1.0) or spread == 0 or found.dof < 1:
        reason = "too few samples or clusters to bound the area"
        if area in (0.0, 1.0):
            reason = "confidence parts right from wrong without exception: nothing bounds the area"
        return unknown(
            reason, confidence=confidence, method=_METHOD, n=n, clusters=groups, estimate=area
        )
    reach = normal_critical(confidence) if codes is None else t_critical(confidence, found.dof)
    centre, half = math.log(area / (1 - area)), reach * spread / (area * (1 - area))
    return Interval(
        estimate=area,
        low=_logistic(centre - half),
        high=_logistic(centre + half),
        confidence=confidence,
        method=_METHOD if codes is None else f"{_METHOD}, clustered",
        n=n,
        clusters=groups,
    )


def _placements(x: FloatArray, right: np.ndarray) -> FloatArray:
    """Of each right answer the share of wrong ones below it, of each wrong one right ones above."""
    ranks = rankdata(x)
    within = np.empty(len(x))
    within[right], within[~right] = rankdata(x[right]), rankdata(x[~right])
    others = np.where(right, (~right).sum(), right.sum())
    below = (ranks - within) / others
    found: FloatArray = np.where(right, below, 1 - below)
    return found


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
