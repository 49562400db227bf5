"""How much too sharp or too flat a student is, against its teacher."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from kdeval.stats.critical import normal_critical, t_critical
from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, as_clusters, moments
from kdeval.stats.temperature import HIGHEST, LOWEST

_ROUNDING = 1e-6
"""Standard errors of ln T below this are those of the arithmetic: the samples do not vary."""

_METHOD = "minimum KL, sandwich"


def student_temperature(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """The temperature of the student alone at which KL(teacher || student_T) is smallest.

    Above 1 the student is too sharp: dividing its logits by it brings it closest. Below 1 it is too
    flat. The loss is convex in 1 / T. The interval is that of an M-estimator, on the scale of
    ln T, summed by cluster where there are clusters; it is asymptotic.

    Args:
        teacher: Log-probabilities, shape (n, k).
        student: Of the same samples and classes.
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.

    Returns:
        The interval; without an estimate where the student gives 0 to what the teacher holds
        possible, is uniform, or fits best outside [0.05, 20].

    Source: Huber (1967) for the variance of an M-estimator.
    """
    check_confidence(confidence)
    t, s = np.asarray(teacher, dtype=np.float64), np.asarray(student, dtype=np.float64)
    if t.ndim != 2 or t.shape != s.shape:
        raise ValueError(f"need two (n, k) tables of one shape, got {t.shape} and {s.shape}")
    n = len(t)

    def refused(reason: str, estimate: float | None = None) -> Interval:
        return unknown(reason, confidence=confidence, method=_METHOD, n=n, estimate=estimate)

    if n == 0:
        return refused("no samples")
    p = np.exp(t)
    z = s - s.max(axis=1, keepdims=True)
    if (np.isneginf(z) & (p > 0)).any():
        return refused("the student gives 0 to what the teacher holds possible")
    z = np.where(np.isneginf(z), -np.inf, z)
    if not (z < 0).any():
        return refused("the student is uniform")
    claimed = np.where(p > 0, p * np.where(p > 0, z, 0.0), 0.0).sum(axis=1)
    inverse = _best_inverse(z, claimed)
    if inverse is None:
        return refused(f"the best temperature lies outside [{LOWEST:g}, {HIGHEST:g}]")
    means, variances = _moments_at(z, inverse)
    codes = as_clusters(clusters, n)
    found = moments([means - claimed], codes)
    curvature = float(variances.mean())
    if found.dof < 1 or curvature <= 0:
        return refused("too few samples or clusters to bound it", estimate=1 / inverse)
    error = math.sqrt(found.variance([1.0])) / curvature / inverse
    if error < _ROUNDING:
        return refused("all samples say the same, so nothing bounds it", estimate=1 / inverse)
    reach = normal_critical(confidence) if codes is None else t_critical(confidence, found.dof)
    half = reach * error
    return Interval(
        estimate=1 / inverse,
        low=math.exp(-half) / inverse,
        high=math.exp(half) / inverse,
        confidence=confidence,
        method=_METHOD,
        n=n,
        clusters=found.clusters,
    )


def _best_inverse(z: FloatArray, claimed: FloatArray) -> float | None:
    """The minimiser of the cross-entropy in 1 / T, None at an end of the range."""
    mean = float(claimed.mean())

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.log(np.exp(inverse * z).sum(axis=1)).mean()) - inverse * mean

    ends = (math.log(LOWEST), math.log(HIGHEST))
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-7})
    best = float(found.x)
    if min(best - ends[0], ends[1] - best) < 1e-3:
        return None
    return math.exp(-best)


def _moments_at(z: FloatArray, inverse: float) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of a student's logits under its own probabilities, of each sample."""
    q = np.exp(inverse * z)
    q /= q.sum(axis=1, keepdims=True)
    known = np.where(q > 0, z, 0.0)
    means = (q * known).sum(axis=1)
    return means, (q * (known - means[:, None]) ** 2).sum(axis=1)
