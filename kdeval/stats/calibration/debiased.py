"""Debiased L2 calibration error."""

from __future__ import annotations

import numpy as np

from kdeval.stats.calibration.binned import sums_by_bin
from kdeval.stats.calibration.bins import without_single_samples
from kdeval.stats.calibration.groups import Groups
from kdeval.stats.moments import FloatArray


def debiased_squares(groups: Groups, right: FloatArray) -> FloatArray:
    """Debiased squared L2 error of each row of right answers, (s, g) to (s,); n at least 2.

    The squared gaps between accuracy and confidence over bins of equal mass, less the variance
    that accuracies have by chance; so it may be negative, and is 0 on average for a model that is
    perfectly calibrated over the bins. Bins of one sample, whose variance nothing tells, join a
    neighbour.

    Source: Kumar, Liang & Ma (2019), Verified uncertainty calibration, NeurIPS.
    """
    codes = without_single_samples(groups.mass, groups.count)
    sizes = np.bincount(codes, weights=groups.count)
    rates = sums_by_bin(right, codes) / sizes
    claimed = np.bincount(codes, weights=groups.expected) / sizes
    chance = rates * (1 - rates) / (sizes - 1)
    squares: FloatArray = ((rates - claimed) ** 2 - chance) @ (sizes / groups.n)
    return squares


def debiased_errors(groups: Groups, right: FloatArray) -> FloatArray:
    """Root of `debiased_squares`, 0 where those are negative."""
    roots: FloatArray = np.sqrt(np.maximum(debiased_squares(groups, right), 0.0))
    return roots
