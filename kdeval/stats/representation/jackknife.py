"""Intervals of similarities between samples, by leaving out groups of samples.

A similarity over pairs of samples is no mean over samples, so what one sample does to it is seen by
leaving the sample out. A bootstrap would draw samples twice, and a pair of equal samples is like no
pair of the data.

Source: Shao & Tu (1995), The Jackknife and Bootstrap, sections 2.1 and 5.2 (groups).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.critical import t_critical
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.moments import FloatArray, IntArray

__all__ = ["FISHER", "GROUPS", "Scale", "differs", "jackknife", "sample_groups"]

GROUPS = 25
"""Parts of the samples, each left out once; fewer where there are fewer samples or clusters."""

_LEAST_GROUPS = 5
_SAME = 1e-9
_METHOD = "grouped jackknife t"

_NEARLY_ONE = 1 - 1e-12

Scale = Callable[[float], float]


def _fisher(value: float) -> float:
    return math.atanh(min(_NEARLY_ONE, max(-_NEARLY_ONE, value)))


FISHER: tuple[Scale, Scale] = (_fisher, math.tanh)
"""The scale on which correlations are nearly normal, and back."""


def sample_groups(
    n: int, clusters: ArrayLike | None, rng: np.random.Generator, most: int = GROUPS
) -> IntArray:
    """Each sample's group, shape (n,): at random, of nearly equal size, no cluster parted.

    Args:
        n: samples.
        clusters: Integer codes, shape (n,), or None: samples are independent.
        rng: what deals them out.
        most: groups.
    """
    codes = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(codes)
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(min(most, len(sizes)), dtype=np.int64)
    group_of = np.empty(len(sizes), dtype=np.int64)
    for cluster in order:
        group_of[cluster] = group = int(np.argmin(filled))
        filled[group] += sizes[cluster]
    return group_of[codes]


def jackknife(
    estimate: float,
    without: Sequence[float],
    *,
    n: int,
    confidence: float,
    clusters: int | None = None,
    scale: tuple[Scale, Scale] | None = None,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """The interval of an estimate from what it is without each group of samples.

    Args:
        estimate: over all samples.
        without: one for each group left out.
        n: samples.
        confidence: Two-sided.
        clusters: how many there are, where samples are dependent.
        scale: on which the estimate is nearly normal, and back; None: as it is.
        limits: the least and the most that it can be.

    Returns:
        The interval; ends are None with fewer than five groups, and where no group matters, which
        says nothing of samples to come.
    """
    refused = {"confidence": confidence, "method": _METHOD, "n": n, "clusters": clusters}
    if len(without) < _LEAST_GROUPS:
        reason = f"fewer than {_LEAST_GROUPS} samples or clusters that can be left out"
        return unknown(reason, estimate=estimate, **refused)  # type: ignore[arg-type]
    if max(abs(value - estimate) for value in without) <= _SAME:
        reason = "no sample changes it: nothing bounds the error"
        return unknown(reason, estimate=estimate, **refused)  # type: ignore[arg-type]
    to, back = scale or (_as_it_is, _as_it_is)
    centre = to(estimate)
    half = t_critical(confidence, len(without) - 1) * _error([to(value) for value in without])
    low, high = back(centre - half), back(centre + half)
    return Interval(
        estimate=estimate,
        low=max(limits[0], min(low, estimate)),
        high=min(limits[1], max(high, estimate)),
        confidence=confidence,
        method=_METHOD,
        n=n,
        clusters=clusters,
    )


def differs(estimate: FloatArray, without: FloatArray, confidence: float) -> np.ndarray:
    """Where a difference is shown not to be 0, shape (k,).

    Args:
        estimate: differences over all samples, shape (k,).
        without: the same without each group, shape (groups, k).
        confidence: Two-sided.
    """
    groups = len(without)
    error = without.std(axis=0) * math.sqrt(groups - 1)
    beyond = np.abs(estimate) > t_critical(confidence, groups - 1) * error
    return np.asarray(beyond & (np.abs(estimate) > _SAME))


def _error(without: Sequence[float]) -> float:
    groups = len(without)
    return float(np.std(without)) * math.sqrt(groups - 1)


def _as_it_is(value: float) -> float:
    return value
