"""Bins of confidence."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kdeval.stats.moments import FloatArray, IntArray

BINS = 15
"""Bins of every binned figure, unless told otherwise."""

Binning = Literal["equal-mass", "equal-width"]


def bin_codes(confidence: FloatArray, *, bins: int = BINS, binning: Binning) -> IntArray:
    """Bin of each sample, renumbered without empty bins; equal confidences share a bin."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins!r}")
    if len(confidence) == 0:
        return np.zeros(0, dtype=np.int64)
    inner = np.arange(1, bins) / bins
    edges = inner
    if binning == "equal-mass":
        edges = np.quantile(confidence, inner, method="inverted_cdf")
    codes = np.searchsorted(edges, confidence, side="left")
    renumbered = np.cumsum(np.bincount(codes) > 0) - 1
    found: IntArray = renumbered[codes].astype(np.int64)
    return found


def without_single_samples(codes: IntArray, counts: IntArray) -> IntArray:
    """Ordered bin codes in which bins of one sample have joined their neighbours.

    Args:
        codes: Bin of each group of samples, ascending from 0 without gaps.
        counts: Samples of each group.
    """
    sizes = np.bincount(codes, weights=counts)
    starts = [0]
    for code in range(1, len(sizes)):
        if sizes[starts[-1] : code].sum() > 1:
            starts.append(code)
    if len(starts) > 1 and sizes[starts[-1] :].sum() < 2:
        starts.pop()
    joined = np.searchsorted(starts, np.arange(len(sizes)), side="right") - 1
    merged: IntArray = joined[codes].astype(np.int64)
    return merged
