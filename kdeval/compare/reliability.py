"""Reliability diagrams: what models claim beside what came true, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.selection import Selection
from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.calibration.bins import bin_codes
from kdeval.stats.interval import Interval

__all__ = ["BINS", "Reliability", "ReliabilityBin", "reliability"]

BINS = 10
"""Bins of equal mass; fewer where confidences are tied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Samples of about the same confidence.

    Attributes:
        confidence: mean probability of the most probable answer.
        accuracy: share of them that are right, with its Clopper-Pearson interval. The interval
            takes samples as independent, also where the suite has clusters.
    """

    n: int
    confidence: float
    accuracy: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Both models on the samples where both gave probabilities, least confident bin first."""

    teacher: tuple[ReliabilityBin, ...]
    student: tuple[ReliabilityBin, ...]


def reliability(chosen: Selection, *, confidence: float, bins: int = BINS) -> Reliability | None:
    """The bins of both models; None without probabilities of both."""
    found = chosen.probabilities
    if found is None:
        return None
    return Reliability(
        teacher=_bins(found.teacher, found.labels, bins, confidence),
        student=_bins(found.student, found.labels, bins, confidence),
    )


def _bins(
    log_probs: NDArray[np.float64], labels: NDArray[np.int64], bins: int, level: float
) -> tuple[ReliabilityBin, ...]:
    sure = np.minimum(np.exp(log_probs.max(axis=1)), 1.0)
    right = log_probs.argmax(axis=1) == labels
    codes = bin_codes(sure, bins=bins, binning="equal-mass")
    return tuple(
        ReliabilityBin(
            n=int(member.sum()),
            confidence=float(sure[member].mean()),
            accuracy=clopper_pearson(int(right[member].sum()), int(member.sum()), confidence=level),
        )
        for member in (codes == code for code in range(int(codes.max()) + 1))
    )
