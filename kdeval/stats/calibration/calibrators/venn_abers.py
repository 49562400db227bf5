"""Venn-Abers: isotonic regression fitted twice, once for each answer the new sample may have.

Confidence is read on a fixed scale, its logit in steps of an eighth. The scale is not chosen by the
data, so the guarantee of inductive Venn-Abers predictors holds on it: one of the two probabilities
p0 and p1 is calibrated whatever the data. The one probability made of both, p1 / (1 - p0 + p1), is
the one that minimises the largest regret in log-loss.

Source: Vovk, Petej & Fedorova (2015), Large-scale probabilistic predictors with and without
guarantees of validity, NeurIPS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdeval.stats.calibration.calibrators.fitted import inside
from kdeval.stats.calibration.distributions import BoolArray
from kdeval.stats.moments import FloatArray, IntArray

_STEPS = 8
_FURTHEST = 74
_LEVELS = 2 * _FURTHEST + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VennAbers:
    """Both probabilities of every level of the scale, shape (levels,)."""

    p0: FloatArray
    p1: FloatArray

    @property
    def name(self) -> Literal["Venn-Abers"]:
        """Which kind it is."""
        return "Venn-Abers"

    @property
    def parameters(self) -> Mapping[str, float]:
        """None: it has two for every level."""
        return {}

    def __call__(self, confidence: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape (n,)."""
        found = levels_of(confidence)
        p0, p1 = self.p0[found], self.p1[found]
        merged: FloatArray = p1 / (1 - p0 + p1)
        return merged


def fit_venn_abers(confidence: FloatArray, right: BoolArray) -> VennAbers:
    """p0 and p1 of every level that a confidence can have; at least one sample."""
    codes = levels_of(confidence)
    count = np.bincount(codes, minlength=_LEVELS).astype(np.float64)
    wins = np.bincount(codes, weights=right, minlength=_LEVELS).astype(np.float64)
    return VennAbers(p0=_fitted(count, wins, 0.0), p1=_fitted(count, wins, 1.0))


def levels_of(confidence: FloatArray) -> IntArray:
    """Level of each confidence on the fixed scale, 0 to 148."""
    c = inside(confidence)
    steps = np.rint(_STEPS * (np.log(c) - np.log1p(-c))).astype(np.int64)
    levels: IntArray = np.clip(steps + _FURTHEST, 0, _LEVELS - 1)
    return levels


def _fitted(count: FloatArray, wins: FloatArray, answer: float) -> FloatArray:
    """Isotonic fit at each level with one more sample there, by the max-min formula.

    The fit at level i is the largest, over a <= i, of the smallest, over b >= i, of the means of
    the levels a to b; all those runs of levels hold the new sample.

    Source: Robertson, Wright & Dykstra (1988), Order restricted statistical inference, section 1.4.
    """
    sums, weights = (np.concatenate([[0.0], np.cumsum(part)]) for part in (wins, count))
    means = (sums[None, 1:] - sums[:-1, None] + answer) / np.maximum(
        weights[None, 1:] - weights[:-1, None] + 1, 1.0
    )
    first, last = np.indices(means.shape)
    means[last < first] = np.inf
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
    least[first > last] = -np.inf
    fitted: FloatArray = least.max(axis=0)
    return fitted
