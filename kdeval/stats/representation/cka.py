"""Centred kernel alignment of two representations of the same samples, without its bias.

CKA compares which samples lie near which: 1 for representations that are the same up to rotation,
reflection, scale and shift. The usual estimate is far above 0 for unrelated representations when
there are fewer samples than dimensions; the one here is 0 in the mean for them, at any n.

Source: Kornblith et al. (2019), arXiv 1905.00414, for CKA; Song et al. (2012), JMLR 13, for the
unbiased estimator of HSIC; Nguyen, Raghu & Kornblith (2021), arXiv 2010.15327, who put it into CKA;
Murphy, Zylberberg & Fyshe (2024), arXiv 2405.01012, for how far off the biased one is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.moments import FloatArray

__all__ = ["LEAST_SAMPLES", "biased_cka", "debiased_cka", "gram", "u_centred", "unit_upper"]

LEAST_SAMPLES = 4
"""The estimator divides by n - 3."""

_NOTHING = 1e-14


def gram(vectors: ArrayLike) -> FloatArray:
    """Inner products of the centred vectors, shape (n, n), in float64.

    Args:
        vectors: shape (n, d).
    """
    x = np.asarray(vectors, dtype=np.float64)
    x = x - x.mean(axis=0)
    return np.asarray(x @ x.T)


def u_centred(kernel: FloatArray) -> FloatArray:
    """The kernel without its diagonal, centred so that every row sums to 0.

    The inner product of two such matrices over n (n - 3) is the unbiased HSIC of Song et al.; so
    they obey the Cauchy-Schwarz inequality, and debiased CKA lies between -1 and 1.

    Source: Székely & Rizzo (2014), Annals of Statistics 42, "U-centering".

    Args:
        kernel: symmetric, shape (n, n) with n of `LEAST_SAMPLES` or more.

    Raises:
        ValueError: n is smaller.
    """
    n = len(kernel)
    if n < LEAST_SAMPLES:
        raise ValueError(f"debiased CKA needs {LEAST_SAMPLES} samples or more, got {n}")
    centred = kernel.astype(np.float64, copy=True)
    np.fill_diagonal(centred, 0.0)
    rows = centred.sum(axis=1) / (n - 2)
    centred -= rows[:, None] + rows[None, :]
    centred += rows.sum() / (n - 1)
    np.fill_diagonal(centred, 0.0)
    return centred


def unit_upper(kernel: FloatArray) -> FloatArray | None:
    """The U-centred kernel above its diagonal as a vector of length 1.

    The inner product of two is the debiased CKA. None where all samples are represented alike, up
    to rounding: there is nothing to compare.
    """
    centred = u_centred(kernel)
    upper = centred[_above(len(kernel))]
    length = float(np.linalg.norm(upper))
    size = float(np.linalg.norm(kernel))
    if length <= _NOTHING * size or length == 0:
        return None
    return np.asarray(upper / length)


def debiased_cka(one: FloatArray, other: FloatArray) -> float | None:
    """Debiased CKA in [-1, 1] of two Gram matrices of the same samples.

    In the mean it is exactly 0 over all ways to pair the samples of one with those of the other,
    so also for independent representations, whatever their dimensions.

    Args:
        one: shape (n, n).
        other: the same samples in the same order.

    Returns:
        None where one of them represents all samples alike.
    """
    a, b = unit_upper(one), unit_upper(other)
    return None if a is None or b is None else float(np.clip(a @ b, -1.0, 1.0))


def biased_cka(one: FloatArray, other: FloatArray) -> float:
    """CKA in [0, 1] as first proposed: HSIC with the double-centred Gram matrices.

    Here to show what the bias comes to; no figure is made of it.
    """
    a, b = (k - k.mean(axis=0) - k.mean(axis=1)[:, None] + k.mean() for k in (one, other))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@lru_cache(maxsize=2)
def _above(n: int) -> Any:
    """Where a matrix of n rows is above its diagonal."""
    return np.triu(np.ones((n, n), dtype=bool), k=1)
