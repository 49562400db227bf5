"""Kolmogorov-Smirnov calibration error: no bins at all."""

from __future__ import annotations

import numpy as np

from kdeval.stats.calibration.groups import Groups
from kdeval.stats.moments import FloatArray


def ks_errors(groups: Groups, right: FloatArray) -> FloatArray:
    """KS error of each row of right answers: (s, g) to (s,).

    The largest distance, over all levels of confidence, between the share of samples that are right
    and up to that confident, and the share that was claimed to be. Samples of equal confidence
    enter together, so their order does not matter.

    Source: Gupta et al. (2021), Calibration of neural networks using splines, ICLR.
    """
    drift = np.cumsum(right - groups.expected, axis=1) / groups.n
    distances: FloatArray = np.abs(drift).max(axis=1)
    return distances
