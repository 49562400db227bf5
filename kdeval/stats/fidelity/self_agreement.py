"""How often a model agrees with itself, and with another, when each answers several times.

Two draws of the teacher agree with the probability sum(p_c^2) of its own answers: what an exact
copy of it would reach, and so the level that a student's agreement is read against. A student that
always gives the teacher's likeliest answer can exceed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.means.paired import mean
from kdeval.stats.moments import FloatArray, as_clusters

__all__ = ["cross_agreement", "pair_shares", "self_agreement"]

_METHOD = "agreement of two draws"


def self_agreement(
    draws: Sequence[ArrayLike], *, clusters: ArrayLike | None = None, confidence: float = 0.95
) -> Interval:
    """Probability that two draws of one model for the same sample are the same.

    Unbiased per sample (the share of its pairs of draws that are equal), then the mean over the
    samples that have at least two draws, with the interval of `kdeval.stats.means.paired.mean`.

    Args:
        draws: one sequence of integer codes a sample, of any length; or an array (n, repeats).
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.

    Raises:
        ValueError: codes are no integers, or clusters have another length.
    """
    check_confidence(confidence)
    rows = [_codes(row) for row in draws]
    kept = np.array([len(row) >= 2 for row in rows], dtype=bool)
    shares = pair_shares([row for row in rows if len(row) >= 2])
    return _mean(shares, kept, clusters, confidence, "no sample was answered more than once")


def cross_agreement(
    ones: Sequence[ArrayLike],
    others: Sequence[ArrayLike],
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Probability that a draw of one model and a draw of another, same sample, are the same.

    Args:
        ones: as `draws` of `self_agreement`; a single draw a sample will do.
        others: of the other model, with the same codes; as many samples.
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.

    Raises:
        ValueError: numbers of samples differ, or codes are no integers.
    """
    check_confidence(confidence)
    if len(ones) != len(others):
        raise ValueError(f"draws of {len(ones)} and of {len(others)} samples; they must be paired")
    pairs = [(_codes(a), _codes(b)) for a, b in zip(ones, others, strict=True)]
    kept = np.array([len(a) > 0 and len(b) > 0 for a, b in pairs], dtype=bool)
    shares = np.array([(a[:, None] == b[None, :]).mean() for a, b in pairs if len(a) and len(b)])
    return _mean(shares, kept, clusters, confidence, "no sample was answered by both")


def pair_shares(draws: Sequence[ArrayLike]) -> FloatArray:
    """Per sample, the share of its pairs of draws that are equal, shape (n,).

    Raises:
        ValueError: a sample has fewer than two draws, or codes are no integers.
    """
    shares = np.empty(len(draws), dtype=np.float64)
    for place, row in enumerate(draws):
        codes = _codes(row)
        if len(codes) < 2:
            raise ValueError(f"sample {place} has {len(codes)} draws; a pair takes two")
        counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
        shares[place] = (counts * (counts - 1)).sum() / (len(codes) * (len(codes) - 1))
    return shares


def _mean(
    shares: FloatArray,
    kept: NDArray[np.bool_],
    clusters: ArrayLike | None,
    confidence: float,
    nothing: str,
) -> Interval:
    codes = as_clusters(clusters, len(kept))
    if not kept.any():
        return unknown(nothing, confidence=confidence, method=_METHOD, n=0)
    inside = None if codes is None else codes[kept]
    found = mean(shares, clusters=inside, confidence=confidence)
    return replace(
        found,
        low=None if found.low is None else max(found.low, 0.0),
        high=None if found.high is None else min(found.high, 1.0),
        method=f"{_METHOD}, {found.method}",
    )


def _codes(row: ArrayLike) -> NDArray[np.int64]:
    codes = np.asarray(row)
    if codes.ndim != 1:
        raise ValueError(f"the draws of a sample must have shape (repeats,), got {codes.shape}")
    if codes.size and not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"draws must be integer codes, got dtype {codes.dtype}")
    return codes.astype(np.int64)
