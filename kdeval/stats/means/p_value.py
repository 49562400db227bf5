"""The p-value of "the student does not keep that much": the test that the interval inverts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtr

from kdeval.stats import betting
from kdeval.stats.means.rates import ratio_statistic
from kdeval.stats.moments import as_clusters, as_scores, is_binary, is_unit, moments

__all__ = ["retention_p_value"]


def retention_p_value(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    threshold: float,
    clusters: ArrayLike | None = None,
) -> float:
    """The smallest one-sided error at which `retention` bounds the ratio from below by `threshold`.

    1 where nothing speaks for it: no samples, a teacher not above zero, a single cluster, real
    scores that neither vary nor lie in [0, 1].

    Args:
        teacher: Scores, shape (n,), without NaN.
        student: Scores of the same samples.
        threshold: The retention to be shown, above 0.
        clusters: Integer codes, shape (n,).

    Raises:
        ValueError: If shapes differ, a score is NaN or infinite, or the threshold is not above 0.
    """
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold!r}")
    codes = as_clusters(clusters, len(t))
    if len(t) == 0 or t.mean() <= 0:
        return 1.0
    m = moments([s, t], codes)
    if is_binary(t) and is_binary(s):
        if m.clusters is not None and m.dof < 1:
            return 1.0
        z = ratio_statistic(t, s, codes, chance=0.0)(threshold)
        return _upper_tail(z, math.inf if codes is None else m.dof)
    estimate = float(m.means[0] / m.means[1])
    if m.dof >= 1 and m.variance([1.0, -estimate]) > 0:
        spread = m.variance([1.0, -threshold])
        mean = m.mean([1.0, -threshold])
        return _upper_tail(mean / math.sqrt(spread) if spread else math.inf, m.dof)
    if not (is_unit(t) and is_unit(s)) or estimate <= threshold:
        return 1.0
    return min(1.0, math.exp(-betting.log_evidence(s, t, codes, threshold)))


def _upper_tail(z: float, dof: float) -> float:
    if math.isinf(z):
        return 0.0 if z > 0 else 1.0
    return float(ndtr(-z)) if np.isinf(dof) else float(stdtr(dof, -z))
