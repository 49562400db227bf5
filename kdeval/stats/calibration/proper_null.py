"""Brier score and log-loss beside what they would be if every probability were right.

If y ~ Categorical(p), the expected log-loss is the mean entropy of p, and a score above it tells of
overconfidence, one below of underconfidence. Below 2,000 samples the null is simulated; from there
on its first three moments are matched by a shifted gamma distribution (Pearson's type III), which
unlike a normal one also fits where few samples hold nearly all the variance.

Source: Spiegelhalter (1986), Statistics in Medicine 5, for the test of the Brier score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from kdeval.stats.calibration.distributions import distributions
from kdeval.stats.calibration.null import SIMULATIONS, AgainstNull, against, without_null
from kdeval.stats.calibration.proper_scores import brier_of
from kdeval.stats.moments import FloatArray

_SIMULATED_BELOW = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProperFigures:
    """Mean Brier score (halved) and mean log-loss (nats), each beside its null, two tails.

    Attributes:
        brier: In [0, 1].
        log_loss: No estimate where a label had probability 0.
        infinite_log_losses: Number of samples whose label had probability 0.
    """

    brier: AgainstNull
    log_loss: AgainstNull
    infinite_log_losses: int


def proper_figures(
    log_probs: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    simulations: int = SIMULATIONS,
) -> ProperFigures:
    """Both proper scores of one model, under y ~ Categorical(p).

    Args:
        log_probs: Log-probabilities, shape (n, k); -inf is allowed.
        labels: Class indices, shape (n,).
        rng: For the simulation.
        simulations: Number of models simulated.

    Raises:
        ValueError: If shapes differ, a label is no class, or a row is no distribution.
    """
    logs, y = distributions(log_probs, labels)
    n = len(y)
    if n == 0:
        empty = without_null(None, "both", "no samples")
        return ProperFigures(brier=empty, log_loss=empty, infinite_log_losses=0)
    p = np.exp(logs)
    p /= p.sum(axis=1, keepdims=True)
    briers, losses = brier_of(p, y), -logs[np.arange(n), y]
    infinite = int(np.isinf(losses).sum())
    scores = (((p**2).sum(axis=1, keepdims=True) + 1) / 2 - p, np.where(p > 0, -logs, 0.0))
    if n < _SIMULATED_BELOW:
        nulls = _simulated(p, scores, rng, simulations)
        found = [
            against(float(own.mean()), float(own.mean()), null, tail="both")
            for own, null in zip(
                (briers, np.where(np.isinf(losses), 0, losses)), nulls, strict=True
            )
        ]
    else:
        found = [
            _matched(float(own.mean()), p, score)
            for own, score in zip((briers, losses), scores, strict=True)
        ]
    if infinite:
        why = f"the label had probability 0 in {infinite} of {n} samples"
        found[1] = without_null(None, "both", why)
    return ProperFigures(brier=found[0], log_loss=found[1], infinite_log_losses=infinite)


def _simulated(
    p: FloatArray,
    scores: tuple[FloatArray, FloatArray],
    rng: np.random.Generator,
    simulations: int,
) -> tuple[FloatArray, FloatArray]:
    """Mean scores of simulated labels, each of shape (simulations,)."""
    sums = np.zeros((2, simulations))
    order = np.lexsort(np.sort(p, axis=1).T)  # so that the order of samples changes nothing
    for row in order:
        classes = np.argsort(p[row], kind="stable")[::-1]
        edges = np.cumsum(p[row, classes])[:-1]
        drawn = classes[np.searchsorted(edges, rng.random(simulations), side="right")]
        sums += np.stack([score[row, drawn] for score in scores])
    means = sums / len(p)
    return means[0], means[1]


def _matched(estimate: float, p: FloatArray, scores: FloatArray) -> AgainstNull:
    """Against a shifted gamma distribution with the null's mean, variance and skewness."""
    n = len(p)
    means = (p * scores).sum(axis=1)
    apart = scores - means[:, None]
    variance = float((p * apart**2).sum()) / n**2
    expected = float(means.mean())
    if variance <= 0:
        return AgainstNull(
            estimate=estimate, expected=expected, low=expected, high=expected,
            p_value=1.0 if np.isclose(estimate, expected) else 1 / (SIMULATIONS + 1),
            tail="both", simulations=None,
        )  # fmt: skip
    skewness = float((p * apart**3).sum()) / n**3 / variance**1.5
    null = stats.pearson3(skewness, loc=expected, scale=np.sqrt(variance))
    p_value = 2 * min(float(null.cdf(estimate)), float(null.sf(estimate)))
    return AgainstNull(
        estimate=estimate,
        expected=expected,
        low=float(null.ppf(0.025)),
        high=float(null.ppf(0.975)),
        p_value=min(1.0, max(p_value, np.finfo(float).tiny)),
        tail="both",
        simulations=None,
    )
