"""Expected calibration error, over bins of equal width or of equal mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.bins import BINS, Binning, bin_codes
from kdeval.stats.calibration.distributions import BoolArray, confidences
from kdeval.stats.calibration.groups import Groups
from kdeval.stats.moments import FloatArray, IntArray


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, *, bins: int = BINS, binning: Binning = "equal-mass"
) -> float | None:
    """Mean over bins of |accuracy - mean confidence|, weighted by mass; None without samples.

    Args:
        confidence: Probability of the answer given, shape (n,).
        correct: Whether it was right, shape (n,).
        bins: Number of bins.
        binning: Edges at quantiles of the confidence, or equally spaced on [0, 1].

    Source: Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    p, y = confidences(confidence, correct)
    if len(p) == 0:
        return None
    return error_of_bins(p, y, bin_codes(p, bins=bins, binning=binning))


def error_of_bins(confidence: FloatArray, right: BoolArray, codes: IntArray) -> float:
    """The error of samples whose bins are known; at least one."""
    gaps = np.bincount(codes, weights=right - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def binned_errors(groups: Groups, right: FloatArray, codes: IntArray) -> FloatArray:
    """Calibration error over the bins `codes` of each row of right answers: (s, g) to (s,)."""
    gaps = sums_by_bin(right - groups.expected, codes)
    errors: FloatArray = np.abs(gaps).sum(axis=1) / groups.n
    return errors


def sums_by_bin(values: FloatArray, codes: IntArray) -> FloatArray:
    """Sums of the columns of `values` that share a bin: (s, g) to (s, bins)."""
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sums: FloatArray = np.add.reduceat(values, starts, axis=1)
    return sums
