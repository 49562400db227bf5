"""Validated scores and the covariance of their means, with or without clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_RELATIVE_ZERO = 1e-12


def as_scores(values: ArrayLike, name: str) -> FloatArray:
    """`values` as a float vector of shape (n,).

    Raises:
        ValueError: If it is not one-dimensional or holds NaN or an infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values; drop missing scores first")
    return array


def as_clusters(clusters: ArrayLike | None, n: int) -> IntArray | None:
    """Cluster codes renumbered 0..G-1, or None when every sample is its own cluster.

    Raises:
        ValueError: If the codes are not n integers.
    """
    if clusters is None:
        return None
    codes = np.asarray(clusters)
    if codes.shape != (n,):
        raise ValueError(f"clusters must have shape ({n},), got {codes.shape}")
    if n == 0:
        return None
    if not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"clusters must be integer codes, got dtype {codes.dtype}")
    _, codes = np.unique(codes, return_inverse=True)
    return None if codes.max() + 1 == n else codes.astype(np.int64)


def is_binary(values: FloatArray) -> bool:
    """True when every value is exactly 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def is_unit(values: FloatArray) -> bool:
    """True when every value lies in [0, 1]."""
    return bool(((values >= 0) & (values <= 1)).all())


Limits = tuple[float | None, float | None]
"""The least and the most that a score can be; None: nothing limits it on that side."""


def lie_in_unit(limits: Limits | None, *columns: FloatArray) -> bool:
    """Whether scores lie in [0, 1]: by their limits, and by what was seen."""
    if not all(is_unit(column) for column in columns):
        return False
    if limits is None or _marks(limits, columns):
        return True
    low, high = limits
    return low is not None and high is not None and low >= 0 and high <= 1


def _marks(limits: Limits, columns: Sequence[FloatArray]) -> bool:
    """Whether scores without any limit are marks, right or wrong: all of them exactly 0 or 1."""
    return limits == (None, None) and all(is_binary(column) for column in columns)


def range_of(limits: Limits | None, *columns: FloatArray) -> tuple[float, float] | None:
    """Where scores can lie: their limits, [0, 1] if those are not told and all lie in it."""
    if limits is None or _marks(limits, columns):
        return (0.0, 1.0) if lie_in_unit(None, *columns) else None
    low, high = limits
    if low is None or high is None:
        return None
    inside = all(bool(((column >= low) & (column <= high)).all()) for column in columns)
    return (low, high) if inside else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Means of k paired columns and the covariance of those means.

    With clusters, `covariance` is the linearised CR1 estimate (sums of centred values per cluster,
    times G / (G - 1)); `naive` always takes the n samples as independent. A linear combination
    such as D = S - theta T then has its variance at once, for every theta.

    Attributes:
        means: Shape (k,).
        covariance: Covariance of the means, shape (k, k); zeros when `dof` is 0.
        naive: The same under independence.
        n: Number of samples.
        clusters: Number of clusters G, or None for independent samples.
        largest_design_effect: Design effect if clusters were copies of one sample (Kish): n over
            the effective number of clusters; 1 without clusters.
    """

    means: FloatArray
    covariance: FloatArray
    naive: FloatArray
    n: int
    clusters: int | None
    largest_design_effect: float

    @property
    def dof(self) -> int:
        """Degrees of freedom of the variance: units - 1."""
        return (self.n if self.clusters is None else self.clusters) - 1

    def mean(self, weights: Sequence[float]) -> float:
        """Mean of the combination of columns with these weights."""
        return float(np.dot(weights, self.means))

    def variance(self, weights: Sequence[float]) -> float:
        """Variance of that mean (0 where rounding is all there is)."""
        return self._quadratic(self.covariance, weights)

    def design_effect(self, weights: Sequence[float]) -> float | None:
        """Variance over the variance under independence, at least 1; None without variance."""
        naive = self._quadratic(self.naive, weights)
        if naive == 0:
            return None
        return max(1.0, self._quadratic(self.covariance, weights) / naive)

    def cautious_design_effect(self, weights: Sequence[float], witnesses: int) -> float:
        """Design effect of rare events, averaged with the largest one that the clusters allow.

        A lone flip among twenty samples of one cluster looks like independence, and no flip looks
        like nothing at all; so the largest design effect counts as one cluster with an event.

        Args:
            weights: Of the combination of columns.
            witnesses: Number of clusters in which an event occurred.
        """
        estimate = self.design_effect(weights)
        if estimate is None or witnesses == 0:
            return self.largest_design_effect
        return (witnesses * estimate + self.largest_design_effect) / (witnesses + 1)

    def _quadratic(self, matrix: FloatArray, weights: Sequence[float]) -> float:
        w = np.asarray(weights, dtype=np.float64)
        value = float(w @ matrix @ w)
        scale = float(w**2 @ np.diag(matrix)) + _RELATIVE_ZERO * float(w**2 @ self.means**2)
        return value if value > _RELATIVE_ZERO * scale else 0.0


def moments(columns: Sequence[FloatArray], clusters: IntArray | None) -> Moments:
    """Means and covariances of the means of `columns`, each of shape (n,), n at least 1."""
    data = np.stack(columns)
    n = data.shape[1]
    means = data.mean(axis=1)
    centred = data - means[:, None]
    naive = centred @ centred.T / (n * max(n - 1, 1))
    if clusters is None:
        return Moments(
            means=means,
            covariance=naive,
            naive=naive,
            n=n,
            clusters=None,
            largest_design_effect=1.0,
        )
    sizes = np.bincount(clusters)
    groups = len(sizes)
    sums = np.stack([np.bincount(clusters, weights=row, minlength=groups) for row in centred])
    robust = sums @ sums.T * (groups / max(groups - 1, 1)) / n**2
    return Moments(
        means=means,
        covariance=robust,
        naive=naive,
        n=n,
        clusters=groups,
        largest_design_effect=float(sizes @ sizes) / n,
    )


def witnesses(events: NDArray[np.bool_], clusters: IntArray) -> int:
    """Number of clusters in which an event occurred."""
    return int(np.count_nonzero(np.bincount(clusters[events])))
