"""Every figure of confidence against correctness, each beside its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.binned import binned_errors
from kdeval.stats.calibration.debiased import debiased_errors
from kdeval.stats.calibration.discrimination import ONE_KIND, areas
from kdeval.stats.calibration.distributions import confidences
from kdeval.stats.calibration.groups import Groups, groups_of, merged_groups
from kdeval.stats.calibration.kolmogorov import ks_errors
from kdeval.stats.calibration.null import (
    SIMULATIONS,
    AgainstNull,
    Statistic,
    Tail,
    against,
    simulated_right,
    without_null,
)
from kdeval.stats.calibration.selective import excess_areas, selective_areas
from kdeval.stats.calibration.smooth import COARSE, smooth_errors
from kdeval.stats.moments import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceFigures:
    """Confidence of n answers against whether they are right; errors are better low.

    Attributes:
        n: Number of samples.
        accuracy: Share that is right; None without samples.
        mean_confidence: Mean confidence.
        ece_equal_width: Expected calibration error, 15 bins of equal width.
        ece_equal_mass: The same with 15 bins of equal mass.
        debiased_l2: Debiased L2 error over those bins of equal mass; needs 2 samples.
        smooth_ece: Smooth ECE.
        ks: Kolmogorov-Smirnov error.
        auroc: P(a right answer has more confidence than a wrong one); better high. Its null has
            two tails: a calibrated model's confidence separates as well as it claims.
        aurc: Mean risk over all coverages; two tails.
        excess_aurc: AURC above that of the best order; two tails.
    """

    n: int
    accuracy: float | None
    mean_confidence: float | None
    ece_equal_width: AgainstNull
    ece_equal_mass: AgainstNull
    debiased_l2: AgainstNull
    smooth_ece: AgainstNull
    ks: AgainstNull
    auroc: AgainstNull
    aurc: AgainstNull
    excess_aurc: AgainstNull


def confidence_figures(
    confidence: ArrayLike,
    right: ArrayLike,
    rng: np.random.Generator,
    *,
    simulations: int = SIMULATIONS,
) -> ConfidenceFigures:
    """The figures of one model.

    Args:
        confidence: Probability that the answer given is right, shape (n,).
        right: Whether it is, shape (n,).
        rng: For the nulls, y ~ Bernoulli(confidence); all share the same simulated models.
        simulations: Number of models simulated.

    Raises:
        ValueError: If shapes differ or a confidence lies outside [0, 1].
    """
    p, y = confidences(confidence, right)
    if len(p) == 0:
        empty = {name: without_null(None, tail, "no samples") for name, _, _, tail in _MEASURES}
        return ConfidenceFigures(n=0, accuracy=None, mean_confidence=None, **empty)
    fine, coarse = groups_of(p, y), merged_groups(p, y)
    null = simulated_right(coarse, rng, simulations)
    figures = {
        name: _against(fine, coarse, null, exact, simulated, tail)
        for name, exact, simulated, tail in _MEASURES
        if len(p) > 1 or name != "debiased_l2"
    }
    figures.setdefault("debiased_l2", without_null(None, "upper", "needs 2 samples"))
    return ConfidenceFigures(
        n=len(p), accuracy=float(y.mean()), mean_confidence=float(p.mean()), **figures
    )


def ranking_figures(score: ArrayLike, right: ArrayLike) -> ConfidenceFigures:
    """AUROC and AURC of a score in [0, 1] that is no probability of being right, without nulls.

    Raises:
        ValueError: If shapes differ or a score lies outside [0, 1].
    """
    p, y = confidences(score, right)
    why = "it is no probability of being right" if len(p) else "no samples"
    figures = {name: without_null(None, tail, why) for name, _, _, tail in _MEASURES}
    if len(p) == 0:
        return ConfidenceFigures(n=0, accuracy=None, mean_confidence=None, **figures)
    groups = groups_of(p, y)
    for name, exact, _, tail in _MEASURES:
        if name in ("auroc", "aurc", "excess_aurc"):
            estimate = float(exact(groups, groups.right[None, :])[0])
            known = not np.isnan(estimate)
            kind = ONE_KIND.format("right" if y.any() else "wrong")
            figures[name] = without_null(estimate if known else None, tail, None if known else kind)
    return ConfidenceFigures(n=len(p), accuracy=float(y.mean()), mean_confidence=None, **figures)


def _against(
    fine: Groups,
    coarse: Groups,
    null: FloatArray,
    exact: Statistic,
    simulated: Statistic,
    tail: Tail,
) -> AgainstNull:
    """One figure: exactly as it is, and as it is in the simulations' coarser groups."""
    estimate = float(exact(fine, fine.right[None, :])[0])
    if np.isnan(estimate):
        kind = "right" if fine.right.sum() else "wrong"
        return without_null(None, tail, ONE_KIND.format(kind))
    observed = float(simulated(coarse, coarse.right[None, :])[0])
    return against(estimate, observed, simulated(coarse, null), tail=tail)


def _equal_width(groups: Groups, right: FloatArray) -> FloatArray:
    return binned_errors(groups, right, groups.width)


def _equal_mass(groups: Groups, right: FloatArray) -> FloatArray:
    return binned_errors(groups, right, groups.mass)


def _smooth_coarse(groups: Groups, right: FloatArray) -> FloatArray:
    return smooth_errors(groups, right, cells=COARSE, halvings=12)


_MEASURES: tuple[tuple[str, Statistic, Statistic, Tail], ...] = (
    ("ece_equal_width", _equal_width, _equal_width, "upper"),
    ("ece_equal_mass", _equal_mass, _equal_mass, "upper"),
    ("debiased_l2", debiased_errors, debiased_errors, "upper"),
    ("smooth_ece", smooth_errors, _smooth_coarse, "upper"),
    ("ks", ks_errors, ks_errors, "upper"),
    ("auroc", areas, areas, "both"),
    ("aurc", selective_areas, selective_areas, "both"),
    ("excess_aurc", excess_areas, excess_areas, "both"),
)
