"""Samples of equal confidence, counted once: what every figure of confidence is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdeval.stats.calibration.bins import BINS, bin_codes
from kdeval.stats.calibration.distributions import BoolArray
from kdeval.stats.moments import FloatArray, IntArray

_MERGED_FROM = 1024
_LEVELS = 32 * BINS


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of samples, least confident first; shapes (g,).

    Attributes:
        confidence: Mean confidence of the group.
        count: Samples in it.
        right: Those of them that are right.
        mass: Its bin among `BINS` of equal mass, ascending from 0.
        width: Its bin among `BINS` of equal width, ascending from 0.
    """

    confidence: FloatArray
    count: IntArray
    right: FloatArray
    mass: IntArray
    width: IntArray

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.count.sum())

    @property
    def expected(self) -> FloatArray:
        """Right answers that a perfectly calibrated model would have in each group."""
        return self.confidence * self.count


def groups_of(confidence: FloatArray, right: BoolArray, *, bins: int = BINS) -> Groups:
    """One group for each distinct confidence; at least one sample."""
    values, codes = np.unique(confidence, return_inverse=True)
    edges = _bins_of(confidence, bins)
    firsts = np.unique(codes, return_index=True)[1]
    return Groups(
        confidence=values,
        count=np.bincount(codes).astype(np.int64),
        right=_sums(codes, right),
        mass=edges[0][firsts],
        width=edges[1][firsts],
    )


def merged_groups(confidence: FloatArray, right: BoolArray, *, bins: int = BINS) -> Groups:
    """Few enough groups to simulate a thousand times.

    From 1024 samples on, those of one bin with almost equal confidence (1/480) share their mean and
    count as one binomial: its mean is exact, its variance off by less than 1e-6 per sample.
    """
    if len(confidence) < _MERGED_FROM:
        return groups_of(confidence, right, bins=bins)
    mass, width = _bins_of(confidence, bins)
    levels = np.ceil(confidence * _LEVELS).astype(np.int64)
    keys = (mass * (bins + 1) + width) * (_LEVELS + 2) + levels
    counts = np.bincount(keys)
    found = np.flatnonzero(counts)
    count = counts[found].astype(np.int64)
    return Groups(
        confidence=np.clip(_sums(keys, confidence)[found] / count, 0.0, 1.0),
        count=count,
        right=_sums(keys, right)[found],
        mass=found // (_LEVELS + 2) // (bins + 1),
        width=found // (_LEVELS + 2) % (bins + 1),
    )


def _sums(codes: IntArray, values: FloatArray | BoolArray) -> FloatArray:
    return np.asarray(np.bincount(codes, weights=values), dtype=np.float64)


def _bins_of(confidence: FloatArray, bins: int) -> tuple[IntArray, IntArray]:
    return (
        bin_codes(confidence, bins=bins, binning="equal-mass"),
        bin_codes(confidence, bins=bins, binning="equal-width"),
    )
