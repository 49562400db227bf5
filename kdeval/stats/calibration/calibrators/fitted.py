"""What every calibrator is once it is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from kdeval.stats.moments import FloatArray

CalibratorName = Literal["temperature", "Platt", "beta", "Venn-Abers", "isotonic"]


class Calibrator(Protocol):
    """A fitted map from confidence to probability, never 0 or 1."""

    @property
    def name(self) -> CalibratorName:
        """Which kind it is."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """What was fitted, where it is few numbers; empty otherwise."""

    def __call__(self, confidence: FloatArray) -> FloatArray:
        """Calibrated probabilities of confidences in [0, 1], shape (n,)."""


def inside(confidence: FloatArray, nearest: float = 1e-4) -> FloatArray:
    """Confidence kept `nearest` away from 0 and 1, where logarithms end: "100 %" is a word."""
    kept: FloatArray = np.clip(confidence, nearest, 1 - nearest)
    return kept
