"""A calibrator fitted on one half of the samples and judged on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.binned import binned_errors
from kdeval.stats.calibration.calibrators.choice import (
    binary_log_losses,
    choose_calibrator,
    fit_calibrator,
)
from kdeval.stats.calibration.calibrators.fitted import CalibratorName
from kdeval.stats.calibration.distributions import BoolArray, confidences, top_label
from kdeval.stats.calibration.groups import merged_groups
from kdeval.stats.calibration.null import SIMULATIONS, AgainstNull, against, simulated_right
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import paired_difference
from kdeval.stats.moments import FloatArray, IntArray, as_clusters
from kdeval.stats.temperature import fit_temperature, scale

LEAST = 30
"""Samples that each half needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFigures:
    """Probabilities of being right on the judged half, beside what came true.

    Attributes:
        ece: Expected calibration error, 15 bins of equal mass.
        brier: Mean (p - right)^2.
        log_loss: Mean, in nats; None where a probability was 0 for what happened.
    """

    ece: AgainstNull
    brier: float
    log_loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratorFigures:
    """What a calibrator did.

    Attributes:
        name: None where none was fitted.
        why: Why this one, or why none.
        parameters: What was fitted, where it is few numbers.
        log_losses: Cross-validated, of the calibrators that were compared on the fitting half.
        n_fit: Samples fitted on.
        n_judged: Samples judged on: all that follows.
        before: The confidence as given; None where it is no probability.
        after: The same, calibrated.
        brier_change: Brier score after minus before, paired; below 0 it helped.
    """

    name: CalibratorName | None
    why: str
    n_fit: int
    n_judged: int
    parameters: Mapping[str, float] = field(default_factory=dict)
    log_losses: Mapping[CalibratorName, float] = field(default_factory=dict)
    before: BinaryFigures | None = None
    after: BinaryFigures | None = None
    brier_change: Interval | None = None


def judge_calibrator(
    scores: ArrayLike,
    right: ArrayLike,
    fitting: ArrayLike,
    rng: np.random.Generator,
    *,
    clusters: ArrayLike | None = None,
    probability: bool = True,
    confidence: float = 0.95,
    log_probs: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> CalibratorFigures:
    """The calibrator that suits the fitting half, and its worth on the other.

    Args:
        scores: Confidence in [0, 1], shape (n,).
        right: Whether the answer was right, shape (n,).
        fitting: Which samples it may be fitted on, shape (n,); no cluster on both sides.
        rng: For folds and nulls.
        clusters: Integer codes, shape (n,).
        probability: Whether the score claims to be the probability of being right.
        confidence: Of the interval.
        log_probs: Of all classes, shape (n, k), where known: a temperature then divides those of
            every class, not the odds of the one answer alone.
        labels: Class indices, shape (n,); with `log_probs`.
    """
    p, y = confidences(scores, right)
    fit, codes = np.asarray(fitting, dtype=bool), as_clusters(clusters, len(p))
    n_fit, n_judged = int(fit.sum()), int((~fit).sum())
    if min(n_fit, n_judged) < LEAST:
        why = f"fewer than {LEAST} samples in a half"
        return CalibratorFigures(name=None, why=why, n_fit=n_fit, n_judged=n_judged)
    choice = choose_calibrator(
        p[fit],
        y[fit],
        rng,
        clusters=None if codes is None else codes[fit],
        probability=probability,
    )
    if choice.name is None:
        return CalibratorFigures(name=None, why=choice.why, n_fit=n_fit, n_judged=n_judged)
    raw, judged = p[~fit], y[~fit]
    if choice.name == "temperature" and log_probs is not None and labels is not None:
        mended, parameters = _of_all_classes(np.asarray(log_probs), np.asarray(labels), fit)
    else:
        calibrator = fit_calibrator(choice.name, p[fit], y[fit])
        mended, parameters = calibrator(raw), dict(calibrator.parameters)
    change = None
    if probability:
        change = paired_difference(
            (raw - judged) ** 2,
            (mended - judged) ** 2,
            clusters=None if codes is None else codes[~fit],
            confidence=confidence,
        )
    return CalibratorFigures(
        name=choice.name,
        why=choice.why,
        parameters=parameters,
        log_losses=choice.log_losses,
        n_fit=n_fit,
        n_judged=n_judged,
        before=_figures(raw, judged, rng) if probability else None,
        after=_figures(mended, judged, rng),
        brier_change=change,
    )


def _of_all_classes(
    logs: FloatArray, labels: IntArray, fit: BoolArray
) -> tuple[FloatArray, dict[str, float]]:
    """Probability of the top class at the temperature fitted on the other half, and that."""
    temperature = fit_temperature(logs[fit], labels[fit])
    return top_label(scale(logs[~fit], temperature), labels[~fit])[0], {"T": temperature}


def _figures(p: FloatArray, y: BoolArray, rng: np.random.Generator) -> BinaryFigures:
    coarse = merged_groups(p, y)
    null = binned_errors(coarse, simulated_right(coarse, rng, SIMULATIONS), coarse.mass)
    estimate = float(binned_errors(coarse, coarse.right[None, :], coarse.mass)[0])
    losses = binary_log_losses(p, y)
    return BinaryFigures(
        ece=against(estimate, estimate, null, tail="upper"),
        brier=float(((p - y) ** 2).mean()),
        log_loss=float(losses.mean()) if np.isfinite(losses).all() else None,
    )
