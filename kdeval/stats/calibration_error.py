"""Binned calibration error and what it would be for a perfectly calibrated model."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.stats.moments import FloatArray, IntArray

_GROUPED_FROM = 1024
_LEVELS = 512
_CHUNK = 2_000_000


def bin_codes(
    confidence: FloatArray, *, bins: int, binning: Literal["equal-mass", "equal-width"]
) -> IntArray:
    """Bin of each sample, renumbered without empty bins; equal confidences share a bin."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins!r}")
    inner = np.arange(1, bins) / bins
    edges = inner
    if binning == "equal-mass":
        edges = np.quantile(confidence, inner, method="inverted_cdf")
    codes = np.searchsorted(edges, confidence, side="left")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def error_of_bins(confidence: FloatArray, correct: NDArray[np.bool_], codes: IntArray) -> float:
    """Sum over bins of |right answers - expected right answers|, over n."""
    gaps = np.bincount(codes, weights=correct - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def null_errors(
    confidence: FloatArray, codes: IntArray, rng: np.random.Generator, simulations: int
) -> FloatArray:
    """Binned error of simulated models that are right with probability `confidence`.

    From 1024 samples on, those of one bin with almost equal confidence (1/512) share their mean and
    are drawn as one binomial; the mean is exact, the variance off by less than 1e-6 per sample.
    """
    probability, count, group_bin = _groups(confidence, codes)
    starts = np.flatnonzero(np.diff(group_bin, prepend=-1))
    expected = np.add.reduceat(probability * count, starts)
    errors = np.empty(simulations)
    step = max(1, _CHUNK // len(count))
    for first in range(0, simulations, step):
        size = min(step, simulations - first)
        right = rng.binomial(count, probability, size=(size, len(count)))
        gaps = np.add.reduceat(right, starts, axis=1) - expected
        errors[first : first + size] = np.abs(gaps).sum(axis=1) / len(confidence)
    return errors


def _groups(confidence: FloatArray, codes: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Mean confidence, size and bin of each group of samples, sorted by bin."""
    if len(confidence) < _GROUPED_FROM:
        order = np.argsort(codes, kind="stable")
        return np.minimum(confidence[order], 1.0), np.ones(len(codes), np.int64), codes[order]
    keys = codes * (_LEVELS + 1) + (confidence * _LEVELS).astype(np.int64)
    found, groups = np.unique(keys, return_inverse=True)
    count = np.bincount(groups)
    mean = np.bincount(groups, weights=confidence) / count
    return np.minimum(mean, 1.0), count.astype(np.int64), found // (_LEVELS + 1)
