"""Calibration of both models on the same samples, temperature-scaled on a split of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.comparison import Calibration, ModelCalibration
from kdeval.compare.halves import fitting_half
from kdeval.compare.selection import Selection
from kdeval.stats.calibration import calibration_summary
from kdeval.stats.calibration.null import SIMULATIONS
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import paired_difference
from kdeval.stats.temperature import fit_temperature, scale

__all__ = ["compare_calibration"]

MIN_SPLIT = 30
"""Samples that each half needs before a temperature is fitted on one and judged on the other."""

_KINDS = ("classification", "multiple_choice")
_ALL_INFINITE = "some reference had probability zero: the mean log-loss is infinite"


def compare_calibration(
    chosen: Selection, *, kind: str, confidence: float, seed: int
) -> Calibration | None:
    """Figures of both, or None for kinds without a closed set of answers.

    A temperature is fitted on one half of the samples and judged on the other; the halves are
    drawn by hash of (seed, cluster or id), so that a cluster is never in both.
    """
    if kind not in _KINDS:
        return None
    found = chosen.probabilities
    if found is None:
        return Calibration(
            teacher=None,
            student=None,
            brier_difference=None,
            log_loss_difference=None,
            reason="not both models gave probabilities",
        )
    fitting = _fitting_half(chosen, seed)
    return Calibration(
        teacher=_model(found.teacher, found.labels, fitting, seed),
        student=_model(found.student, found.labels, fitting, seed),
        brier_difference=_difference(
            chosen.teacher_brier, chosen.student_brier, chosen, confidence, most=1.0
        ),
        log_loss_difference=_difference(
            chosen.teacher_log_loss, chosen.student_log_loss, chosen, confidence, most=None
        ),
    )


def _difference(
    teacher: NDArray[np.float64] | None,
    student: NDArray[np.float64] | None,
    chosen: Selection,
    confidence: float,
    *,
    most: float | None,
) -> Interval | None:
    if teacher is None or student is None:
        return None
    if not (np.isfinite(teacher).all() and np.isfinite(student).all()):
        return Interval(
            estimate=None, low=None, high=None, confidence=confidence, method="paired difference",
            n=len(teacher), clusters=None, reason=_ALL_INFINITE,
        )  # fmt: skip
    return paired_difference(
        teacher,
        student,
        clusters=chosen.probability_clusters,
        confidence=confidence,
        limits=(0.0, most),
    )


def _fitting_half(chosen: Selection, seed: int) -> NDArray[np.bool_]:
    assert chosen.probabilities is not None
    rows = chosen.probabilities.rows
    units = chosen.ids[rows] if chosen.clusters is None else chosen.clusters[rows]
    return fitting_half(units, seed)


def _model(
    log_probs: NDArray[np.float64],
    labels: NDArray[np.int64],
    fitting: NDArray[np.bool_],
    seed: int,
) -> ModelCalibration:
    figures = _figures(log_probs, labels, seed)
    judged = ~fitting
    if min(fitting.sum(), judged.sum()) < MIN_SPLIT or not np.isfinite(log_probs).all():
        return figures
    temperature = fit_temperature(log_probs[fitting], labels[fitting])
    before = _figures(log_probs[judged], labels[judged], seed, simulations=0)
    scaled = scale(log_probs[judged], temperature)
    after = _figures(scaled, labels[judged], seed, simulations=0)
    return replace(
        figures,
        temperature=temperature,
        n_temperature=int(fitting.sum()),
        n_scaled=int(judged.sum()),
        ece_scaled=after.ece,
        ece_unscaled=before.ece,
        log_loss_scaled=after.log_loss,
        log_loss_unscaled=before.log_loss,
    )


def _figures(
    log_probs: NDArray[np.float64],
    labels: NDArray[np.int64],
    seed: int,
    simulations: int = SIMULATIONS,
) -> ModelCalibration:
    """Those of a slice; without simulations, without the null of its ECE."""
    rng = np.random.default_rng(seed)
    found = calibration_summary(log_probs, labels, rng=rng, simulations=simulations)
    return ModelCalibration(
        n=found.n,
        accuracy=found.accuracy,
        mean_confidence=found.mean_confidence,
        ece=found.ece_equal_mass,
        ece_equal_width=found.ece_equal_width,
        ece_null=found.ece_null,
        ece_p_value=found.ece_p_value,
        brier=found.brier,
        log_loss=found.log_loss,
        infinite_log_losses=found.infinite_log_losses,
    )
