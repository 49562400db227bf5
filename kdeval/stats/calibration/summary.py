"""The figures of one slice of a suite: few enough to compute for every one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.binned import binned_errors
from kdeval.stats.calibration.bins import BINS
from kdeval.stats.calibration.distributions import distributions, top_label
from kdeval.stats.calibration.groups import merged_groups
from kdeval.stats.calibration.null import SIMULATIONS, against, simulated_right
from kdeval.stats.calibration.proper_scores import brier_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationResult:
    """Calibration of one model on n samples; a figure that does not exist is None.

    ECE is biased upwards: read it against `ece_null`, its mean for a model that is perfectly
    calibrated and equally confident, and never gate on it.

    Attributes:
        n: Number of samples.
        accuracy: Share of samples whose most probable class is the label.
        mean_confidence: Mean probability of the most probable class.
        ece_equal_width: Expected calibration error over bins of equal width.
        ece_equal_mass: The same over bins of equal mass (ties stay together).
        ece_null: Mean `ece_equal_mass` under perfect calibration, y ~ Bernoulli(confidence).
        ece_p_value: Share of such simulations (this result counted in) at or above it.
        brier: Mean halved Brier score.
        log_loss: Mean negative log-probability of the label, in nats; None when infinite.
        infinite_log_losses: Number of samples whose label had probability 0.
        reason: Why a figure is None.
    """

    n: int
    accuracy: float | None
    mean_confidence: float | None
    ece_equal_width: float | None
    ece_equal_mass: float | None
    ece_null: float | None
    ece_p_value: float | None
    brier: float | None
    log_loss: float | None
    infinite_log_losses: int
    reason: str | None = None


def calibration_summary(
    log_probs: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    bins: int = BINS,
    simulations: int = SIMULATIONS,
) -> CalibrationResult:
    """The calibration figures of one model.

    Args:
        log_probs: Log-probabilities, shape (n, k); -inf is allowed, every row sums to 1 after exp.
        labels: Class indices, shape (n,).
        rng: For the simulation of the null.
        bins: Number of ECE bins.
        simulations: Number of simulated perfectly calibrated models.

    Raises:
        ValueError: If shapes differ, a label is no class, or a row is no distribution.
    """
    logs, y = distributions(log_probs, labels)
    n = len(y)
    if n == 0:
        return _no_samples()
    confidence, correct = top_label(logs, y)
    coarse = merged_groups(confidence, correct, bins=bins)
    wide, mass = (
        float(binned_errors(coarse, coarse.right[None, :], codes)[0])
        for codes in (coarse.width, coarse.mass)
    )
    null = binned_errors(coarse, simulated_right(coarse, rng, simulations), coarse.mass)
    beside = against(mass, mass, null, tail="upper")
    losses = -logs[np.arange(n), y]
    infinite = int(np.isinf(losses).sum())
    return CalibrationResult(
        n=n,
        accuracy=float(correct.mean()),
        mean_confidence=float(confidence.mean()),
        ece_equal_width=wide,
        ece_equal_mass=mass,
        ece_null=beside.expected,
        ece_p_value=beside.p_value,
        brier=float(brier_of(np.exp(logs), y).mean()),
        log_loss=None if infinite else float(losses.mean()),
        infinite_log_losses=infinite,
        reason=f"the label had probability 0 in {infinite} of {n} samples" if infinite else None,
    )


def _no_samples() -> CalibrationResult:
    return CalibrationResult(
        n=0,
        accuracy=None,
        mean_confidence=None,
        ece_equal_width=None,
        ece_equal_mass=None,
        ece_null=None,
        ece_p_value=None,
        brier=None,
        log_loss=None,
        infinite_log_losses=0,
        reason="no samples",
    )
