"""Temperature scaling."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from kdeval.stats.moments import FloatArray

LOWEST, HIGHEST = 0.05, 20.0
"""Range of temperatures that `fit_temperature` returns."""


def fit_temperature(log_probs: ArrayLike, labels: ArrayLike) -> float:
    """The temperature in [0.05, 20] that minimises the negative log-likelihood of the labels.

    The loss is convex in 1/T, so the minimum is unique. Where it lies outside the range the nearer
    end is returned: the lowest for a model that is right on every sample, the highest for one worse
    than chance. Samples whose label has probability 0 cost the same at every temperature and
    are left out; without any sample the answer is 1. Fit on other samples than you judge on.

    Args:
        log_probs: Log-probabilities (or logits), shape (n, k).
        labels: Class indices, shape (n,).

    Source: Guo et al. (2017), On calibration of modern neural networks, ICML.
    """
    logs, y = np.asarray(log_probs, dtype=np.float64), np.asarray(labels)
    if logs.ndim != 2 or y.shape != logs.shape[:1]:
        raise ValueError(f"need (n, k) log-probabilities and n labels, got {logs.shape}, {y.shape}")
    if np.isnan(logs).any() or (logs == np.inf).any():
        raise ValueError("log-probabilities must not be NaN or +inf")
    rows = np.arange(len(y))
    possible = np.isfinite(logs[rows, y]) if len(y) else np.zeros(0, dtype=bool)
    logs, y = np.asfortranarray(logs[possible]), y[possible]  # for the sums over classes
    if len(y) == 0:
        return 1.0

    below_top = logs - logs.max(axis=1, keepdims=True)
    of_labels = float(below_top[np.arange(len(y)), y].mean())

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        normalisers = np.log(np.exp(inverse * below_top).sum(axis=1))
        return float(normalisers.mean()) - inverse * of_labels

    ends = (math.log(LOWEST), math.log(HIGHEST))
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-5})
    best = min((*ends, float(found.x)), key=loss)
    return math.exp(best)


def scale(log_probs: ArrayLike, temperature: float) -> FloatArray:
    """Log-probabilities at this temperature, renormalised, shape (n, k).

    Raises:
        ValueError: Unless the temperature is positive and finite.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"a temperature must be positive and finite, got {temperature!r}")
    logs = np.asarray(log_probs, dtype=np.float64)
    if logs.size == 0:
        return logs
    scaled: FloatArray = log_softmax(logs / temperature, axis=1)
    return scaled
