"""Calibration of each class on its own: its probability against whether it is the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.calibration.binned import binned_errors
from kdeval.stats.calibration.distributions import distributions
from kdeval.stats.calibration.groups import merged_groups
from kdeval.stats.calibration.null import AgainstNull, against, simulated_right

LEAST = 50
"""Samples with the label, and samples without it, that a class needs to be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class against the rest.

    Attributes:
        index: Of the class.
        labels: Samples of which it is the label.
        claimed: Mean probability that it was given.
        share: Share of samples of which it is the label.
        ece: Expected calibration error of its probability, 15 bins of equal mass.
    """

    index: int
    labels: int
    claimed: float
    share: float
    ece: AgainstNull


@dataclass(frozen=True, slots=True, kw_only=True)
class Classwise:
    """The classes that have the samples.

    Attributes:
        classes: In their order.
        left_out: Classes with fewer than `least` samples with or without the label.
        least: That floor.
        mean_ece: Mean of their errors (classwise ECE); None without a class.
        mean_expected: The same of a perfectly calibrated model.
    """

    classes: tuple[ClassFigures, ...]
    left_out: int
    least: int
    mean_ece: float | None
    mean_expected: float | None


def classwise(
    log_probs: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    least: int = LEAST,
    simulations: int = 500,
) -> Classwise:
    """Every class with enough samples; p-values are of single classes, not adjusted for several.

    Args:
        log_probs: Log-probabilities, shape (n, k).
        labels: Class indices, shape (n,).
        rng: For the nulls, y ~ Bernoulli(probability of the class).
        least: Samples with and without the label that a class needs.
        simulations: Models simulated for each class.

    Raises:
        ValueError: If shapes differ, a label is no class, or a row is no distribution.

    Source: Kull et al. (2019), Beyond temperature scaling, NeurIPS.
    """
    logs, y = distributions(log_probs, labels)
    counts = np.bincount(y, minlength=logs.shape[1])
    chosen = np.flatnonzero((counts >= least) & (len(y) - counts >= least))
    found = tuple(
        _of_class(
            int(index), np.minimum(np.exp(logs[:, index]), 1.0), y == index, child, simulations
        )
        for index, child in zip(chosen, rng.spawn(len(chosen)), strict=True)
    )
    errors = [(item.ece.estimate, item.ece.expected) for item in found]
    means = np.array(errors, dtype=np.float64).mean(axis=0) if errors else None
    return Classwise(
        classes=found,
        left_out=len(counts) - len(found),
        least=least,
        mean_ece=None if means is None else float(means[0]),
        mean_expected=None if means is None else float(means[1]),
    )


def _of_class(
    index: int, p: np.ndarray, y: np.ndarray, rng: np.random.Generator, simulations: int
) -> ClassFigures:
    coarse = merged_groups(p, y)
    null = binned_errors(coarse, simulated_right(coarse, rng, simulations), coarse.mass)
    estimate = float(binned_errors(coarse, coarse.right[None, :], coarse.mass)[0])
    return ClassFigures(
        index=index,
        labels=int(y.sum()),
        claimed=float(p.mean()),
        share=float(y.mean()),
        ece=against(estimate, estimate, null, tail="upper"),
    )
