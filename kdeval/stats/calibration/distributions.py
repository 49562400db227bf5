"""Probabilities as they are given, checked once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdeval.stats.moments import FloatArray, IntArray

_SUM_TOLERANCE = 1e-3

BoolArray = NDArray[np.bool_]


def distributions(log_probs: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
    """Log-probabilities of shape (n, k), none above 0, and class indices of shape (n,).

    Raises:
        ValueError: If shapes differ, a label is no class, or a row does not sum to 1 after exp.
    """
    # Contiguous columns make sums over few classes ten times as fast.
    logs, y = np.asarray(log_probs, dtype=np.float64, order="F"), np.asarray(labels)
    if logs.ndim != 2 or y.shape != logs.shape[:1]:
        raise ValueError(f"need (n, k) log-probabilities and n labels, got {logs.shape}, {y.shape}")
    if len(y) == 0:
        return logs, y.astype(np.int64)
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= logs.shape[1]:
        raise ValueError(f"labels must be class indices from 0 to {logs.shape[1] - 1}")
    sums = np.exp(logs).sum(axis=1)
    wrong: NDArray[np.intp] = np.flatnonzero(~(np.abs(sums - 1) <= _SUM_TOLERANCE))
    if len(wrong):
        raise ValueError(
            f"probabilities of row {wrong[0]} sum to {float(sums[wrong[0]])!r}, not to 1"
        )
    return np.minimum(logs, 0.0), y.astype(np.int64)


def top_label(logs: FloatArray, labels: IntArray) -> tuple[FloatArray, BoolArray]:
    """Probability of the most probable class, and whether it is the label, each of shape (n,)."""
    if len(labels) == 0:
        return np.zeros(0), np.zeros(0, dtype=bool)
    return np.minimum(np.exp(logs.max(axis=1)), 1.0), logs.argmax(axis=1) == labels


def confidences(confidence: ArrayLike, right: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Confidence in [0, 1] and whether the answer was right, both of shape (n,).

    Raises:
        ValueError: If shapes differ, a confidence lies outside [0, 1], or `right` holds anything
            but 0 and 1.
    """
    p, y = np.asarray(confidence, dtype=np.float64), np.asarray(right)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"need two vectors of one length, got shapes {p.shape} and {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("confidence must lie in [0, 1]")
    if not ((y == 0) | (y == 1)).all():
        raise ValueError("an answer is right or wrong: 1 or 0, True or False")
    return p, y.astype(bool)
