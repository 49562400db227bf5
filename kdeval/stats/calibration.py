"""How far predicted probabilities can be believed.

Conventions: Brier scores are the multiclass sum of squares halved, which lies in [0, 1] and for two
classes equals the binary (p - y)^2. Log losses are in nats and never clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdeval.stats.calibration_error import bin_codes, error_of_bins, null_errors
from kdeval.stats.moments import FloatArray, IntArray

_SUM_TOLERANCE = 1e-3

Binning = Literal["equal-mass", "equal-width"]


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


def calibration(
    log_probs: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    bins: int = 15,
    simulations: int = 1000,
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
    logs, y = _distributions(log_probs, labels)
    n = len(y)
    if n == 0:
        return _no_samples()
    confidence = np.exp(logs.max(axis=1))
    correct = logs.argmax(axis=1) == y
    mass = bin_codes(confidence, bins=bins, binning="equal-mass")
    observed = error_of_bins(confidence, correct, mass)
    null = null_errors(confidence, mass, rng, simulations)
    losses = -logs[np.arange(n), y]
    infinite = int(np.isinf(losses).sum())
    return CalibrationResult(
        n=n,
        accuracy=float(correct.mean()),
        mean_confidence=float(confidence.mean()),
        ece_equal_width=expected_calibration_error(
            confidence, correct, bins=bins, binning="equal-width"
        ),
        ece_equal_mass=observed,
        ece_null=float(null.mean()),
        ece_p_value=float((1 + (null >= observed - 1e-12).sum()) / (simulations + 1)),
        brier=float(_brier(np.exp(logs), y).mean()),
        log_loss=None if infinite else float(losses.mean()),
        infinite_log_losses=infinite,
        reason=f"the label had probability 0 in {infinite} of {n} samples" if infinite else None,
    )


def expected_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, *, bins: int = 15, binning: Binning = "equal-mass"
) -> float | None:
    """Mean over bins of |accuracy - mean confidence|, weighted by mass; None without samples.

    Args:
        confidence: Probability of the answer given, shape (n,).
        correct: Whether it was right, shape (n,).
        bins: Number of bins.
        binning: Edges at quantiles of the confidence, or equally spaced on [0, 1].

    Source: Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    p, y = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"need two vectors of one length, got shapes {p.shape} and {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("confidence must lie in [0, 1]")
    if len(p) == 0:
        return None
    return error_of_bins(p, y, bin_codes(p, bins=bins, binning=binning))


def brier_scores(probabilities: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Halved multiclass Brier score of each sample, in [0, 1], shape (n,).

    Args:
        probabilities: Shape (n, k), each row summing to 1.
        labels: Class indices, shape (n,).

    Source: Brier (1950), Monthly Weather Review 78.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if (p < 0).any():
        raise ValueError("probabilities must not be negative")
    with np.errstate(divide="ignore"):
        _, y = _distributions(np.log(p), labels)
    return _brier(p, y)


def log_losses(log_probabilities: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Negative log-probability of each label in nats, shape (n,).

    Nothing is clipped: a label of probability 0 has loss +inf. Count those before taking a mean
    (`CalibrationResult.infinite_log_losses`).
    """
    logs, y = _distributions(log_probabilities, labels)
    return -logs[np.arange(len(y)), y]


def _brier(p: FloatArray, y: IntArray) -> FloatArray:
    right = p[np.arange(len(y)), y]
    scores: FloatArray = ((p**2).sum(axis=1) - 2 * right + 1) / 2
    return np.clip(scores, 0.0, 1.0)


def _distributions(log_probs: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
    """Checked log-probabilities and labels."""
    logs, y = np.asarray(log_probs, dtype=np.float64), np.asarray(labels)
    if logs.ndim != 2 or y.shape != logs.shape[:1]:
        raise ValueError(f"need (n, k) log-probabilities and n labels, got {logs.shape}, {y.shape}")
    if len(y) == 0:
        return logs, y.astype(np.int64)
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= logs.shape[1]:
        raise ValueError(f"labels must be class indices from 0 to {logs.shape[1] - 1}")
    sums = np.exp(logs).sum(axis=1)
    wrong: NDArray[np.intp] = np.flatnonzero(~(np.abs(sums - 1) <= _SUM_TOLERANCE))
    if len(wrong):
        raise ValueError(
            f"probabilities of row {wrong[0]} sum to {float(sums[wrong[0]])!r}, not to 1"
        )
    return np.minimum(logs, 0.0), y.astype(np.int64)


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
