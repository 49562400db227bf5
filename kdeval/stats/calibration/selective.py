"""Answering only where confident: risk over coverage, and the accuracy of what is kept.

The n samples are kept in order of their confidence. Where several share one, the order among them
is a coin's: a part of such a group holds its average share of errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from kdeval.stats.calibration.groups import Groups
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean
from kdeval.stats.moments import FloatArray, as_clusters, as_scores, is_binary

_POINTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept at a threshold of confidence.

    Attributes:
        asked: Share of samples that was to be kept.
        coverage: Share with at least the threshold; more than asked where confidences are tied.
        threshold: Lowest confidence kept.
        accuracy: Share of those that are right. The interval takes the threshold as given.
    """

    asked: float
    coverage: float
    threshold: float
    accuracy: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoverage:
    """The curve: share of errors among the most confident samples; shapes (p,).

    Attributes:
        coverage: Share of samples kept, rising to 1.
        risk: Share of errors among them.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


def selective_areas(groups: Groups, right: FloatArray) -> FloatArray:
    """AURC of each row of right answers, (s, g) to (s,): mean risk over the n coverages.

    Source: Geifman & El-Yaniv (2017), Selective classification for deep neural networks, NeurIPS;
    Geifman, Uziel & El-Yaniv (2019), ICLR.
    """
    wrong = (groups.count - right)[:, ::-1]
    count = groups.count[::-1]
    kept = np.cumsum(count) - count
    before = np.cumsum(wrong, axis=1) - wrong
    inverse = digamma(kept + count + 1) - digamma(kept + 1)
    risks = wrong + (before - wrong * (kept / count)) * inverse
    areas: FloatArray = risks.sum(axis=1) / groups.n
    return np.clip(areas, 0.0, 1.0)


def excess_areas(groups: Groups, right: FloatArray) -> FloatArray:
    """AURC above that of the best order of the same answers, every right one first."""
    n, wins = groups.n, right.sum(axis=1)
    best = (n - wins - wins * (digamma(n + 1) - digamma(wins + 1))) / n
    excess: FloatArray = selective_areas(groups, right) - best
    return np.maximum(excess, 0.0)


def risk_coverage(groups: Groups) -> RiskCoverage:
    """Points of the curve, at most about a hundred; the last is the error rate of all samples."""
    kept = np.cumsum(groups.count[::-1])
    wrong = np.cumsum((groups.count - groups.right)[::-1])
    places = np.unique(
        np.searchsorted(kept, np.linspace(0, groups.n, _POINTS + 1)[1:], side="left")
    )
    places = np.minimum(places, len(kept) - 1)
    return RiskCoverage(
        coverage=tuple((kept[places] / groups.n).tolist()),
        risk=tuple(np.clip(wrong[places] / kept[places], 0.0, 1.0).tolist()),
    )


def kept_at(
    score: ArrayLike,
    right: ArrayLike,
    coverages: tuple[float, ...] = (0.8, 0.9, 0.95),
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> tuple[Kept, ...]:
    """Accuracy of the most confident samples, at each coverage; empty without samples.

    The thresholds are chosen by the scores alone, not by what is right, so given them the kept
    answers are independent and their accuracy has the interval of any rate (Wilson, by clusters
    Rao-Scott).

    Args:
        score: Grows with confidence, shape (n,), finite.
        right: 0 or 1, shape (n,).
        coverages: Shares to keep, each in (0, 1].
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.
    """
    x, y = as_scores(score, "score"), as_scores(np.asarray(right, dtype=np.float64), "right")
    if x.shape != y.shape or not is_binary(y):
        raise ValueError("score and right must have one length, and right must be 0 or 1")
    if not all(0 < coverage <= 1 for coverage in coverages):
        raise ValueError(f"coverages must lie in (0, 1], got {coverages!r}")
    n = len(x)
    if n == 0:
        return ()
    codes = as_clusters(clusters, n)
    falling = np.sort(x)[::-1]
    found = []
    for asked in coverages:
        threshold = float(falling[min(n, int(np.ceil(asked * n - 1e-9))) - 1])
        kept = x >= threshold
        found.append(
            Kept(
                asked=asked,
                coverage=float(kept.mean()),
                threshold=threshold,
                accuracy=mean(
                    y[kept],
                    clusters=None if codes is None else codes[kept],
                    confidence=confidence,
                ),
            )
        )
    return tuple(found)
