"""The Brier score in parts: reliability, resolution, uncertainty.

For one class, with p its probability, y whether it is the label, and bins b of equal mass of p:

    Brier = reliability - resolution + uncertainty + within bins
    reliability = sum_b n_b/n (mean p - mean y)^2     how wrong the probabilities are, 0 is best
    resolution  = sum_b n_b/n (mean y - ybar)^2       how far they tell samples apart, high is best
    uncertainty = ybar (1 - ybar)                     what the labels alone say

"Within bins" is what bins hide, the variance of p less twice its covariance with y. Estimated
reliability and resolution are biased upwards; the chance variance of each bin's mean,
ybar_b (1 - ybar_b) / (n_b - 1), is taken off, which leaves the sum as it is. So either may come out
a little below 0. The parts of several classes are summed and halved, as the score is.

Source: Murphy (1973), Journal of Applied Meteorology 12; Stephenson, Coelho & Jolliffe (2008),
Weather and Forecasting 23, for the part within bins; Ferro & Fricker (2012), QJRMS 138, for the
correction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.bins import BINS, bin_codes, without_single_samples
from kdeval.stats.calibration.distributions import BoolArray, distributions
from kdeval.stats.moments import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierParts:
    """Parts of the halved Brier score: it equals reliability - resolution + uncertainty + within.

    Attributes:
        reliability: Corrected for bias; 0 for a calibrated model, on average.
        resolution: Corrected for bias.
        uncertainty: Corrected for bias.
        within_bins: What bins hide.
        bins: Largest number of bins of a class.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float
    bins: int


def brier_parts(log_probs: ArrayLike, labels: ArrayLike, *, bins: int = BINS) -> BrierParts | None:
    """The parts of the mean Brier score; None with fewer than 2 samples.

    Args:
        log_probs: Log-probabilities, shape (n, k).
        labels: Class indices, shape (n,).
        bins: Bins of equal mass for each class; one that has a single sample joins its neighbour.

    Raises:
        ValueError: If shapes differ, a label is no class, or a row is no distribution.
    """
    logs, y = distributions(log_probs, labels)
    if len(y) < 2:
        return None
    p = np.minimum(np.exp(logs), 1.0)
    parts = np.zeros(4)
    most = 0
    for index in range(p.shape[1]):
        of_class, used = _parts_of_class(p[:, index], y == index, bins)
        parts, most = parts + of_class, max(most, used)
    reliability, resolution, uncertainty, within = (float(x) / 2 for x in parts)
    return BrierParts(
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within_bins=within,
        bins=most,
    )


def _parts_of_class(p: FloatArray, y: BoolArray, bins: int) -> tuple[FloatArray, int]:
    n, overall = len(p), float(y.mean())
    codes = bin_codes(p, bins=bins, binning="equal-mass")
    codes = without_single_samples(np.arange(int(codes.max()) + 1), np.bincount(codes))[codes]
    sizes = np.bincount(codes)
    rates, claimed = (np.bincount(codes, weights=values) / sizes for values in (y, p))
    chance = float(sizes @ (rates * (1 - rates) / (sizes - 1))) / n
    noise = overall * (1 - overall) / (n - 1)
    apart = p - claimed[codes]
    within = float((apart**2 - 2 * apart * (y - rates[codes])).mean())
    reliability = float(sizes @ (claimed - rates) ** 2) / n - chance
    resolution = float(sizes @ (rates - overall) ** 2) / n - chance + noise
    return np.array([reliability, resolution, overall * (1 - overall) + noise, within]), len(sizes)
