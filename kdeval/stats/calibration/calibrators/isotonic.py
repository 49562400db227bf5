"""Isotonic regression: the best rising step function; it needs thousands of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.isotonic import IsotonicRegression

from kdeval.stats.calibration.distributions import BoolArray
from kdeval.stats.moments import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Isotonic:
    """A fitted step function; kept 1 / (n + 2) away from 0 and 1."""

    model: IsotonicRegression

    @property
    def name(self) -> Literal["isotonic"]:
        """Which kind it is."""
        return "isotonic"

    @property
    def parameters(self) -> Mapping[str, float]:
        """None: it has as many as it has steps."""
        return {}

    def __call__(self, confidence: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape (n,)."""
        return np.asarray(self.model.predict(confidence), dtype=np.float64)


def fit_isotonic(confidence: FloatArray, right: BoolArray) -> Isotonic:
    """Isotonic regression of right on confidence; at least one sample.

    Source: Zadrozny & Elkan (2002), KDD.
    """
    edge = 1 / (len(right) + 2)
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    return Isotonic(model=model.fit(confidence, right.astype(np.float64)))
