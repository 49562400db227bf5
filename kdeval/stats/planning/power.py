"""How many samples a decision needs."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from kdeval.stats.critical import normal_critical
from kdeval.stats.interval import one_sided
from kdeval.stats.moments import (
    FloatArray,
    Moments,
    as_clusters,
    as_scores,
    is_binary,
    moments,
)
from kdeval.stats.score_test import score_z

_MARGIN = 1.05


def samples_to_pass(
    teacher: ArrayLike,
    student: ArrayLike,
    *,
    threshold: float,
    level: float,
    power: float = 0.8,
    clusters: ArrayLike | None = None,
    chance: float = 0.0,
) -> int | None:
    """Samples with which "retention >= threshold" would pass, were the scores so far typical.

    N = (z_level sd_0 + z_power sd)^2 / E[D]^2 with D = S - threshold T, 5 % on top; sd_0 is the
    standard deviation that the test itself uses, which for binary scores is the one under
    "retention = threshold", and for those N is at least `zero_flip_floor`. With clusters, new
    samples come in clusters like these.

    Args:
        teacher: Scores, shape (n,).
        student: Scores of the same samples.
        threshold: Retention to be shown.
        level: One-sided, for instance 0.95.
        power: Probability to pass.
        clusters: Integer codes, shape (n,).
        chance: Score of guessing, where retention is taken above it.

    Returns:
        The number, or None where the estimate is not above the threshold (no number would do) or
        fewer than two samples (clusters) are there to estimate a variance.
    """
    t, s = as_scores(teacher, "teacher"), as_scores(student, "student")
    if t.shape != s.shape:
        raise ValueError(f"teacher has {len(t)} scores and student {len(s)}; they must be paired")
    d = (s - chance) - threshold * (t - chance)
    if not (is_binary(t) and is_binary(s)):
        return samples_to_bound_mean(d, limit=0.0, level=level, power=power, clusters=clusters)
    m = _moments(d, clusters)
    if m is None:
        return None
    floor = zero_flip_floor(threshold, float(t.mean()), level=level, chance=chance)
    if floor is None:
        return None
    rates = (t * s, (1 - t) * s, t * (1 - s), (1 - t) * (1 - s))
    z = score_z(_cells(threshold, chance), [float(r.mean()) for r in rates])
    effect = m.design_effect([1.0]) or 1.0
    return max(floor, _needed(m, (m.mean([1.0]) / z) ** 2 * effect, level, power))


def samples_to_bound_mean(
    values: ArrayLike,
    *,
    limit: float,
    level: float,
    power: float = 0.8,
    side: Literal["above", "below"] = "above",
    clusters: ArrayLike | None = None,
) -> int | None:
    """Samples with which the mean would be shown to lie above (or below) `limit`.

    As `samples_to_pass`, for the mean of any values. Without variance it is the least number that
    the betting bound needs when a value may stray by 1.
    """
    x = as_scores(values, "values")
    m = _moments(x - limit if side == "above" else limit - x, clusters)
    if m is None:
        return None
    variance = m.variance([1.0]) * m.n
    if variance == 0:
        return max(2, math.ceil(-math.log(1 - level) / math.log1p(m.mean([1.0]))))
    return _needed(m, variance, level, power)


def zero_flip_floor(
    threshold: float, teacher_rate: float, *, level: float, chance: float = 0.0
) -> int | None:
    """Samples below which "retention >= threshold" cannot pass even without a single flip.

    From the score test itself: for a teacher right on 90 % and level 0.95 it is 28 for a threshold
    of 0.90, 58 for 0.95 and 148 for 0.98.

    Args:
        threshold: Retention to be shown.
        teacher_rate: Share of samples that the teacher gets right, in [0, 1].
        level: One-sided.
        chance: Score of guessing, where retention is taken above it.

    Returns:
        The number, or None where no number of flipless samples would do.
    """
    if not 0 <= teacher_rate <= 1:
        raise ValueError(f"teacher_rate must lie in [0, 1], got {teacher_rate!r}")
    critical = normal_critical(one_sided(level))
    if threshold >= 1 or teacher_rate <= chance:
        return None
    if threshold <= 0:
        return 1
    per_sample = score_z(_cells(threshold, chance), (teacher_rate, 0, 0, 1 - teacher_rate))
    return int(np.floor((critical / per_sample) ** 2)) + 1


def _cells(threshold: float, chance: float) -> tuple[float, float, float, float]:
    """D for both right, student only, teacher only, both wrong."""
    shift = chance * (1 - threshold)
    return (1 - threshold - shift, 1 - shift, -threshold - shift, -shift)


def _moments(d: FloatArray, clusters: ArrayLike | None) -> Moments | None:
    """Moments of D; None where its mean is not positive or its variance cannot be estimated."""
    codes = as_clusters(clusters, len(d))
    if len(d) == 0 or d.mean() <= 0:
        return None
    m = moments([d], codes)
    return m if m.dof >= 1 else None


def _needed(m: Moments, null_variance: float, level: float, power: float) -> int:
    spread = normal_critical(one_sided(level)) * math.sqrt(null_variance)
    spread += float(ndtri(power)) * math.sqrt(m.variance([1.0]) * m.n)
    return max(2, math.ceil(_MARGIN * (spread / m.mean([1.0])) ** 2))
