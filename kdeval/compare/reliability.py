"""Reliability diagrams: what models claim beside what came true, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.compare.confidences import ModelConfidence, model_confidence
from kdeval.compare.pair_table import PairTable
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
    """Both models, least confident bin first; empty for one that does not tell how sure it was.

    Where both gave probabilities, the samples are those of which that is so.
    """

    teacher: tuple[ReliabilityBin, ...]
    student: tuple[ReliabilityBin, ...]


def reliability(
    chosen: Selection,
    *,
    confidence: float,
    bins: int = BINS,
    table: PairTable | None = None,
) -> Reliability | None:
    """The bins of both models; None where neither tells how sure it was.

    Args:
        chosen: all complete pairs.
        confidence: two-sided, of the bins' intervals.
        bins: how many.
        table: of the pairs; with it, a recorded confidence stands in for probabilities.
    """
    teacher, student = (
        _bins(model_confidence(chosen, side, table), bins, confidence)
        for side in ("teacher", "student")
    )
    if not teacher and not student:
        return None
    return Reliability(teacher=teacher, student=student)


def _bins(told: ModelConfidence | str, bins: int, level: float) -> tuple[ReliabilityBin, ...]:
    if isinstance(told, str) or told.source == "mean_log_prob" or not len(told.rows):
        return ()
    codes = bin_codes(told.confidence, bins=bins, binning="equal-mass")
    return tuple(
        ReliabilityBin(
            n=int(member.sum()),
            confidence=float(told.confidence[member].mean()),
            accuracy=clopper_pearson(
                int(told.right[member].sum()), int(member.sum()), confidence=level
            ),
        )
        for member in (codes == code for code in range(int(codes.max()) + 1))
    )
