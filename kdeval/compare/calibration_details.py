"""Everything that is known of how far both models' confidence can be believed, on a whole suite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.confidences import ModelConfidence, Source, model_confidence
from kdeval.compare.halves import fitting_half
from kdeval.compare.pair_table import PairTable
from kdeval.compare.selection import Selection
from kdeval.stats.calibration.calibrators.judged import CalibratorFigures, judge_calibrator
from kdeval.stats.calibration.classwise import Classwise, classwise
from kdeval.stats.calibration.confidence import (
    ConfidenceFigures,
    confidence_figures,
    ranking_figures,
)
from kdeval.stats.calibration.decomposition import BrierParts, brier_parts
from kdeval.stats.calibration.discrimination import confidence_auroc
from kdeval.stats.calibration.groups import groups_of
from kdeval.stats.calibration.proper_null import ProperFigures, proper_figures
from kdeval.stats.calibration.selective import Kept, RiskCoverage, kept_at, risk_coverage
from kdeval.stats.fidelity.distillation import (
    TEMPERATURES,
    DistillationTemperature,
    distillation_temperature,
)
from kdeval.stats.fidelity.sharpness import student_temperature
from kdeval.stats.interval import Interval

__all__ = ["CalibrationDetails", "ConfidenceDetails", "calibration_details"]

Side = Literal["teacher", "student"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceDetails:
    """One model on one suite.

    Attributes:
        source: what its confidence is; see `ModelConfidence`.
        without: complete pairs that lack it.
        figures: calibration errors, each beside its null; without a null where the source is a
            mean log-probability.
        auroc: P(a right answer has more confidence than a wrong one), with its interval.
        proper: Brier score and log-loss, beside their nulls; those of "right" or "wrong" where the
            source is a confidence; None for a mean log-probability.
        parts: the Brier score's parts; None likewise, and below 2 samples.
        classes: class by class; None but for labels with probabilities.
        class_names: of `classes`, by index; empty likewise.
        curve: risk over coverage.
        kept: accuracy where only the most confident answers are kept.
        calibrator: the one that suits the number of samples, and what it is worth.
    """

    source: Source
    without: int
    figures: ConfidenceFigures
    auroc: Interval
    proper: ProperFigures | None
    parts: BrierParts | None
    classes: Classwise | None
    class_names: tuple[str, ...]
    curve: RiskCoverage
    kept: tuple[Kept, ...]
    calibrator: CalibratorFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationDetails:
    """Both models on one suite.

    Attributes:
        teacher: None with the reason in `teacher_reason`.
        student: None with the reason in `student_reason`.
        temperature: both distributions over temperatures; None without probabilities of both.
        student_temperature: at which the student alone is closest to the teacher; None likewise.
        clustered: the suite has clusters, which nulls and their p-values do not know of.
        distilled_at: the distillation temperature of the configuration.
    """

    teacher: ConfidenceDetails | None
    student: ConfidenceDetails | None
    teacher_reason: str | None
    student_reason: str | None
    temperature: DistillationTemperature | None
    student_temperature: Interval | None
    clustered: bool
    distilled_at: float | None = None


def calibration_details(
    table: PairTable,
    chosen: Selection,
    *,
    confidence: float,
    seed: int,
    distilled_at: float | None = None,
) -> CalibrationDetails | None:
    """Of the whole suite; None where neither model tells how sure it was.

    Args:
        table: the pairs.
        chosen: all complete pairs of it.
        confidence: two-sided, of every interval.
        seed: of splits, folds, nulls and resamples.
        distilled_at: a temperature to look at beside the usual ones.
    """
    found: dict[Side, ConfidenceDetails | None] = {}
    reasons: dict[Side, str | None] = {}
    sides: tuple[Side, Side] = ("teacher", "student")
    for side in sides:
        told = model_confidence(chosen, side, table) if chosen.n else "no complete pairs"
        reasons[side] = told if isinstance(told, str) else None
        found[side] = (
            None
            if isinstance(told, str)
            else _details(table, chosen, told, side, confidence=confidence, seed=seed)
        )
    if found["teacher"] is None and found["student"] is None:
        return None
    both, codes = chosen.probabilities, chosen.probability_clusters
    return CalibrationDetails(
        teacher=found["teacher"],
        student=found["student"],
        teacher_reason=reasons["teacher"],
        student_reason=reasons["student"],
        temperature=None
        if both is None
        else distillation_temperature(
            both.teacher, both.student, both.labels, np.random.default_rng(seed),
            clusters=codes, confidence=confidence,
            temperatures=sorted({*TEMPERATURES, *([distilled_at] if distilled_at else [])}),
        ),
        student_temperature=None
        if both is None
        else student_temperature(both.teacher, both.student, clusters=codes, confidence=confidence),
        clustered=chosen.clusters is not None,
        distilled_at=distilled_at,
    )  # fmt: skip


def _details(
    table: PairTable,
    chosen: Selection,
    told: ModelConfidence,
    side: Side,
    *,
    confidence: float,
    seed: int,
) -> ConfidenceDetails:
    # The null of the ECE is drawn as for the cells: one figure has one value in a report.
    nulls, rng = np.random.default_rng(seed), np.random.default_rng([seed, 17])
    p, right, rows = told.confidence, told.right, told.rows
    codes = None if chosen.clusters is None else chosen.clusters[rows]
    fitting = fitting_half(chosen.ids[rows] if codes is None else codes, seed)
    probability = told.source != "mean_log_prob"
    logs, labels = _distributions(chosen, told, side)
    names = _class_names(table) if told.source == "probabilities" else ()
    return ConfidenceDetails(
        source=told.source,
        without=chosen.n - len(rows),
        figures=confidence_figures(p, right, nulls) if probability else ranking_figures(p, right),
        auroc=confidence_auroc(p, right, clusters=codes, confidence=confidence),
        proper=proper_figures(logs, labels, rng) if probability else None,
        parts=brier_parts(logs, labels) if probability else None,
        classes=classwise(logs, labels, rng) if names else None,
        class_names=names,
        curve=risk_coverage(groups_of(p, right)),
        kept=kept_at(p, right, clusters=codes, confidence=confidence),
        calibrator=judge_calibrator(
            p,
            right,
            fitting,
            rng,
            clusters=codes,
            probability=probability,
            confidence=confidence,
            log_probs=logs if told.source == "probabilities" else None,
            labels=labels,
        ),
    )


def _distributions(
    chosen: Selection, told: ModelConfidence, side: Side
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log-probabilities and labels; of "wrong" and "right" where only a confidence is known."""
    both = chosen.probabilities
    if both is not None:
        return (both.teacher if side == "teacher" else both.student), both.labels
    with np.errstate(divide="ignore"):
        pairs = np.log(np.stack([1 - told.confidence, told.confidence], axis=1))
    return pairs, told.right.astype(np.int64)


def _class_names(table: PairTable) -> tuple[str, ...]:
    """Labels of a classification suite; empty for other kinds."""
    if table.kind != "classification":
        return ()
    texts: Any = table.frame["labels"].dropna().unique()
    return tuple(json.loads(str(texts[0]))) if len(texts) == 1 else ()
