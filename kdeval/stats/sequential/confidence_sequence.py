"""Bounds that hold at every sample size at once: look as often as you like, stop when you like.

The capital of a gambler who spreads a stake over constant bets against "D = S - theta T has mean
zero" ever exceeds 1/alpha with probability at most alpha (Ville's inequality), so the set of theta
not yet refuted covers the truth at all n together. There is no last look and no design to keep.

Scores lie in [0, 1]. With clusters the unit is the cluster, in the order of its first sample, and
its sum is scaled by the largest cluster there can be, which must be known before the first look.

Source: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting,
JRSS-B 86; Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49, for the sequences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from kdeval_router.bounds import mixture_log_capitals
from numpy.typing import ArrayLike

from kdeval.stats.betting import ratio_limits
from kdeval.stats.interval import one_sided
from kdeval.stats.moments import FloatArray, as_clusters, as_scores, is_unit

__all__ = ["ConfidenceSequence", "Crossing", "first_crossing", "retention_sequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequence:
    """One-sided bounds that hold at all looks together, each at `level`.

    Attributes:
        units: samples or clusters seen at each look.
        low: the highest lower bound up to that look; None where nothing bounds yet.
        high: the lowest upper bound up to that look.
    """

    level: float
    units: tuple[int, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """When a threshold was first cleared ("pass") or lost ("fail"), and after how many units."""

    verdict: Literal["pass", "fail"]
    units: int


def retention_sequence(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    level: float,
    looks: Sequence[int],
    clusters: ArrayLike | None = None,
    largest_cluster: int | None = None,
) -> ConfidenceSequence:
    """Running bounds of mean(S) / mean(T) after the first `looks` units.

    Args:
        teacher: Scores in [0, 1] in the order they came, shape (n,).
        student: Scores of the same samples.
        level: One-sided, of each side.
        looks: Numbers of units, rising.
        clusters: Integer codes, shape (n,).
        largest_cluster: The most samples a cluster can have; needed with clusters.

    Raises:
        ValueError: If scores leave [0, 1], shapes differ, or a look has no or too many units.
    """
    t, s = _units(teacher, student, clusters, largest_cluster)
    low: list[float | None] = []
    high: list[float | None] = []
    best: tuple[float | None, float | None] = (None, None)
    for units in looks:
        if not 1 <= units <= len(t):
            raise ValueError(f"a look at {units} units, but there are {len(t)}")
        if t[:units].sum() > 0:
            ends = ratio_limits(s[:units], t[:units], None, chance=0.0, confidence=one_sided(level))
            best = (_tighter(max, best[0], ends[0]), _tighter(min, best[1], ends[1]))
        low.append(best[0])
        high.append(best[1])
    return ConfidenceSequence(level=level, units=tuple(looks), low=tuple(low), high=tuple(high))


def first_crossing(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    threshold: float,
    level: float,
    clusters: ArrayLike | None = None,
    largest_cluster: int | None = None,
) -> Crossing | None:
    """The first unit after which retention is shown to lie above, or below, `threshold`.

    A look after every unit. Passing although retention is at most the threshold, and failing
    although it is at least that, each have a probability of at most 1 - level. None: undecided.
    Arguments and errors as for `retention_sequence`.
    """
    if threshold <= 0:
        raise ValueError(f"threshold must be above 0, got {threshold!r}")
    t, s = _units(teacher, student, clusters, largest_cluster)
    x = (s - threshold * t + threshold) / (1 + threshold)
    zero = threshold / (1 + threshold)
    critical = math.log(1 / (1 - level))
    passed = mixture_log_capitals(1 - x, 1 - zero) >= critical
    failed = mixture_log_capitals(x, zero) >= critical
    decided = np.flatnonzero(passed | failed)
    if len(decided) == 0:
        return None
    first = int(decided[0])
    return Crossing(verdict="pass" if passed[first] else "fail", units=first + 1)


def _units(
    teacher: ArrayLike,
    student: ArrayLike,
    clusters: ArrayLike | None,
    largest_cluster: int | None,
) -> tuple[FloatArray, FloatArray]:
    """Scores of independent units in [0, 1], in the order in which they came."""
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    if not (is_unit(t) and is_unit(s)):
        raise ValueError("scores must lie in [0, 1]: betting needs to know their range")
    if clusters is None:
        return t, s
    if largest_cluster is None:
        raise ValueError("with clusters, largest_cluster must be fixed before the first look")
    codes = as_clusters(clusters, len(t))
    if codes is None:
        return t / largest_cluster, s / largest_cluster
    if int(np.bincount(codes).max()) > largest_cluster:
        raise ValueError(f"a cluster has more samples than largest_cluster = {largest_cluster}")
    _, first = np.unique(codes, return_index=True)
    order = np.argsort(first)
    sums = [np.bincount(codes, weights=x)[order] / largest_cluster for x in (t, s)]
    return sums[0], sums[1]


def _tighter(
    pick: Callable[[float, float], float], best: float | None, new: float | None
) -> float | None:
    if best is None or new is None:
        return best if new is None else new
    return pick(best, new)
