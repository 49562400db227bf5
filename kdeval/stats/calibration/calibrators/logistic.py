"""Calibrators of one, two and three parameters: logistic regressions on functions of confidence.

- temperature: logit(c) / T;
- Platt: a + b logit(c), b not negative (Platt 1999);
- beta: a + b ln(c) - d ln(1 - c), b and d not negative (Kull, Silva Filho & Flach 2017, AISTATS).

Targets are Platt's, (r + 1) / (r + 2) for right answers when r are right and 1 / (w + 2) for wrong
ones when w are wrong, so a fit is finite also where confidence separates the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from kdeval.stats.calibration.calibrators.fitted import inside
from kdeval.stats.calibration.distributions import BoolArray
from kdeval.stats.moments import FloatArray
from kdeval.stats.temperature import HIGHEST, LOWEST

LogisticName = Literal["temperature", "Platt", "beta"]
_Bounds = tuple[float | None, float | None]

_NEAREST = 1e-3
"""A claim of certainty counts as 99.9 %: farther out, few such answers would turn the whole fit."""

_FREE: _Bounds = (None, None)
_RISING: _Bounds = (0.0, None)
_BOUNDS: Mapping[LogisticName, tuple[_Bounds, ...]] = {
    "temperature": ((1 / HIGHEST, 1 / LOWEST),),
    "Platt": (_FREE, _RISING),
    "beta": (_FREE, _RISING, _RISING),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A fitted logistic calibrator."""

    name: LogisticName
    weights: tuple[float, ...]

    @property
    def parameters(self) -> Mapping[str, float]:
        """T; or a and b; or a, b and d."""
        if self.name == "temperature":
            return {"T": 1 / self.weights[0]}
        return dict(zip("abd", self.weights, strict=False))

    def __call__(self, confidence: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape (n,)."""
        p: FloatArray = expit(_features(self.name, confidence) @ np.array(self.weights))
        return inside_unit(p)


def inside_unit(p: FloatArray) -> FloatArray:
    """Probabilities without 0 and 1, to the last figure a double has."""
    kept: FloatArray = np.clip(p, 1e-15, 1 - 1e-15)
    return kept


def fit_logistic(name: LogisticName, confidence: FloatArray, right: BoolArray) -> Logistic:
    """The calibrator that minimises the log-loss of the smoothed targets; at least one sample."""
    wins = int(right.sum())
    high, low = (wins + 1) / (wins + 2), 1 / (len(right) - wins + 2)
    targets = np.where(right, high, low)
    values, codes = np.unique(confidence, return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    sums = np.bincount(codes, weights=targets)
    features = _features(name, values)

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = features @ weights
        value = float(counts @ np.logaddexp(0.0, scores) - sums @ scores)
        slope = features.T @ (counts * expit(scores) - sums)
        return value / len(right), slope / len(right)

    start = np.array([1.0] if name == "temperature" else [0.0] + [1.0] * (features.shape[1] - 1))
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=_BOUNDS[name],
        options={"ftol": 1e-13, "gtol": 1e-9, "maxiter": 500},
    )  # fmt: skip
    return Logistic(name=name, weights=tuple(float(x) for x in found.x))


def _features(name: LogisticName, confidence: FloatArray) -> FloatArray:
    c = inside(confidence, _NEAREST)
    if name == "beta":
        return np.stack([np.ones(len(c)), np.log(c), -np.log1p(-c)], axis=1)
    logit = np.log(c) - np.log1p(-c)
    if name == "temperature":
        return logit[:, None]
    return np.stack([np.ones(len(c)), logit], axis=1)
