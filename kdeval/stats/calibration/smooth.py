"""Smooth calibration error: a kernel instead of bins, its bandwidth found from the data.

The residuals, right minus confidence, are smoothed over the confidence by a Gaussian kernel that is
reflected at 0 and 1; the error at bandwidth s is the integral of their absolute value. It does not
grow with s, so there is one s that equals its own error, and that is the smooth ECE: consistent,
without a number of bins to choose.

The reflected Gaussian kernel is the heat kernel of [0, 1], diagonal in the cosine basis: smoothing
on a grid multiplies the k-th cosine coefficient by exp(-(pi k s)^2 / 2).

Source: Blasiok & Nakkiran (2023), Smooth ECE: principled reliability diagrams via kernel smoothing,
arXiv 2309.12236.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, sparse

from kdeval.stats.calibration.groups import Groups
from kdeval.stats.moments import FloatArray

FINE, COARSE = 1024, 256
"""Cells of the grid: for an estimate, and for simulations of its null."""


def smooth_errors(
    groups: Groups, right: FloatArray, *, cells: int = FINE, halvings: int = 20
) -> FloatArray:
    """Smooth ECE of each row of right answers: (s, g) to (s,).

    Args:
        groups: Samples of equal confidence.
        right: Right answers of each group, a row for each simulated model.
        cells: Resolution of the confidence.
        halvings: Steps of the bisection for the bandwidth; the error is off by at most
            2 ** -halvings.
    """
    residuals = (right - groups.expected) / groups.n
    waves = fft.dct(_on_grid(residuals, groups.confidence, cells), type=2, norm="ortho", axis=1)
    low, high = np.zeros(len(right)), np.ones(len(right))
    for _ in range(halvings):
        middle = (low + high) / 2
        grown = _error_at(waves, middle) >= middle
        low, high = np.where(grown, middle, low), np.where(grown, high, middle)
    found: FloatArray = (low + high) / 2
    return np.where(low == 0, 0.0, found)


def _error_at(waves: FloatArray, bandwidth: FloatArray) -> FloatArray:
    """Integral of the absolute smoothed residuals, at one bandwidth a row."""
    angles = np.pi * np.arange(waves.shape[1])
    damping = np.exp(-((bandwidth[:, None] * angles) ** 2) / 2)
    smoothed = fft.idct(waves * damping, type=2, norm="ortho", axis=1)
    error: FloatArray = np.abs(smoothed).sum(axis=1)
    return error


def _on_grid(residuals: FloatArray, confidence: FloatArray, cells: int) -> FloatArray:
    """Residuals shared out between the two nearest cell centres: (s, g) to (s, cells)."""
    place = np.clip(confidence * cells - 0.5, 0.0, cells - 1.0)
    below = np.minimum(place.astype(np.int64), cells - 2)
    weight = place - below
    columns = np.arange(len(confidence))
    shares = sparse.csr_array(
        (
            np.concatenate([1 - weight, weight]),
            (np.concatenate([below, below + 1]), np.concatenate([columns, columns])),
        ),
        shape=(cells, len(confidence)),
    )
    shared: FloatArray = np.asarray(shares @ residuals.T).T
    return np.ascontiguousarray(shared)
