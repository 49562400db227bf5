"""Two calibrated heads a student: P(teacher right | request) and P(student right | request)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdeval_router.encoder import Embedded

__all__ = ["Heads", "head_features"]


def head_features(embedded: Embedded, task: int, tasks: int) -> NDArray[np.float64]:
    """What the heads look at: the vector, coverage, log length and the assigned task.

    Raises:
        ValueError: the request has no vector.
    """
    if embedded.vector is None:
        raise ValueError("a request without a vector has no features")
    dimensions = len(embedded.vector)
    features = np.zeros(dimensions + 2 + tasks)
    features[:dimensions] = embedded.vector
    features[dimensions] = embedded.coverage
    features[dimensions + 1] = np.log1p(embedded.tokens) / 10.0
    features[dimensions + 2 + task] = 1.0
    return features


class Heads:
    """Logistic heads as plain arrays.

    Args:
        coefficients: (1 + students, features); row 0 is the teacher's.
        intercepts: (1 + students,).
    """

    def __init__(self, coefficients: NDArray[np.float64], intercepts: NDArray[np.float64]) -> None:
        self._coefficients = coefficients
        self._intercepts = intercepts

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Heads:
        """The tensors `heads.*` of an artefact."""
        return cls(tensors["heads.coefficients"], tensors["heads.intercepts"])

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(1 + students,): the probability that the teacher, and each student, is right."""
        logits = self._coefficients @ features + self._intercepts
        result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(logits, -40.0, 40.0)))
        return result
