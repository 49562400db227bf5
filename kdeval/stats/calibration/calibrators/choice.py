"""Which calibrator n samples can afford.

Below 100 samples a temperature, one parameter; to 500 Platt's two; above, the smallest
cross-validated log-loss among Platt, beta and Venn-Abers, which isotonic regression joins from
3,000. A score that is no probability of being right (the mean log-probability of a text) always
needs two parameters: Platt's from the first sample on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.calibrators.fitted import Calibrator, CalibratorName
from kdeval.stats.calibration.calibrators.isotonic import fit_isotonic
from kdeval.stats.calibration.calibrators.logistic import fit_logistic
from kdeval.stats.calibration.calibrators.venn_abers import fit_venn_abers
from kdeval.stats.calibration.distributions import BoolArray, confidences
from kdeval.stats.moments import FloatArray, IntArray, as_clusters

PLATT_FROM, COMPARED_FROM, ISOTONIC_FROM = 100, 500, 3000
"""Samples from which two parameters are fitted, calibrators are compared, isotonic joins them."""

_FOLDS = 5
_FITTERS: Mapping[CalibratorName, Callable[[FloatArray, BoolArray], Calibrator]] = MappingProxyType(
    {
        "temperature": lambda c, y: fit_logistic("temperature", c, y),
        "Platt": lambda c, y: fit_logistic("Platt", c, y),
        "beta": lambda c, y: fit_logistic("beta", c, y),
        "Venn-Abers": fit_venn_abers,
        "isotonic": fit_isotonic,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The calibrator for these samples.

    Attributes:
        name: None where there is nothing to fit.
        why: What decided, in words.
        log_losses: Cross-validated log-loss of each that was compared, in nats; else empty.
    """

    name: CalibratorName | None
    why: str
    log_losses: Mapping[CalibratorName, float] = field(default_factory=dict)


def choose_calibrator(
    confidence: ArrayLike,
    right: ArrayLike,
    rng: np.random.Generator,
    *,
    clusters: ArrayLike | None = None,
    probability: bool = True,
) -> Choice:
    """The calibrator that suits n samples.

    Args:
        confidence: In [0, 1], shape (n,).
        right: Whether the answer was right, shape (n,).
        rng: For the folds; whole clusters lie in one.
        clusters: Integer codes, shape (n,).
        probability: Whether the confidence claims to be the probability of being right.

    Raises:
        ValueError: If shapes differ or a confidence lies outside [0, 1].
    """
    p, y = confidences(confidence, right)
    n = len(p)
    if y.all() or not y.any():
        kind = ("right" if y.any() else "wrong") if n else None
        why = "no samples" if kind is None else f"every answer it would be fitted on is {kind}"
        return Choice(name=None, why=why)
    if n < PLATT_FROM and probability:
        return Choice(name="temperature", why=f"one parameter, below {PLATT_FROM} samples")
    if n < COMPARED_FROM:
        return Choice(name="Platt", why=f"two parameters, below {COMPARED_FROM} samples")
    names: list[CalibratorName] = ["Platt", "beta", "Venn-Abers"]
    if n >= ISOTONIC_FROM:
        names.append("isotonic")
    folds = _folds(n, as_clusters(clusters, n), rng)
    losses = {name: _cross_validated(name, p, y, folds) for name in names}
    best = min(names, key=lambda name: losses[name])
    return Choice(name=best, why="the smallest cross-validated log-loss", log_losses=losses)


def fit_calibrator(name: CalibratorName, confidence: ArrayLike, right: ArrayLike) -> Calibrator:
    """That calibrator on these samples, at least one."""
    p, y = confidences(confidence, right)
    return _FITTERS[name](p, y)


def binary_log_losses(p: FloatArray, y: BoolArray) -> FloatArray:
    """Negative log-probability of what happened, in nats; infinite where it was held impossible."""
    with np.errstate(divide="ignore"):
        losses: FloatArray = -np.log(np.where(y, p, 1 - p))
    return losses


def _folds(n: int, clusters: IntArray | None, rng: np.random.Generator) -> IntArray:
    units = n if clusters is None else int(clusters.max()) + 1
    of_unit = rng.permutation(np.arange(units) % _FOLDS)
    return of_unit if clusters is None else of_unit[clusters]


def _cross_validated(name: CalibratorName, p: FloatArray, y: BoolArray, folds: IntArray) -> float:
    total = 0.0
    for fold in range(_FOLDS):
        held = folds == fold
        if not held.any() or held.all():
            continue
        calibrator = _FITTERS[name](p[~held], y[~held])
        total += float(binary_log_losses(calibrator(p[held]), y[held]).sum())
    return total / len(p)
