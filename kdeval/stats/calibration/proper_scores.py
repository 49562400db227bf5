"""Brier scores and log-losses of single samples.

Conventions: Brier scores are the multiclass sum of squares halved, which lies in [0, 1] and for two
classes equals the binary (p - y)^2. Log losses are in nats and never clipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.distributions import distributions
from kdeval.stats.moments import FloatArray, IntArray


def brier_scores(probabilities: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Halved multiclass Brier score of each sample, in [0, 1], shape (n,).

    Args:
        probabilities: Shape (n, k), each row summing to 1.
        labels: Class indices, shape (n,).

    Source: Brier (1950), Monthly Weather Review 78.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if (p < 0).any():
        raise ValueError("probabilities must not be negative")
    with np.errstate(divide="ignore"):
        _, y = distributions(np.log(p), labels)
    return brier_of(p, y)


def log_losses(log_probabilities: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Negative log-probability of each label in nats, shape (n,).

    Nothing is clipped: a label of probability 0 has loss +inf. Count those before taking a mean.
    """
    logs, y = distributions(log_probabilities, labels)
    return -logs[np.arange(len(y)), y]


def brier_of(p: FloatArray, y: IntArray) -> FloatArray:
    """`brier_scores` of probabilities that are checked already."""
    right = p[np.arange(len(y)), y]
    scores: FloatArray = ((p**2).sum(axis=1) - 2 * right + 1) / 2
    return np.clip(scores, 0.0, 1.0)
