"""At which temperature a student is closest to its teacher, and how much the teacher says there.

At temperature T both distributions are softmax(log p / T). A higher T raises what the teacher says
about the classes it does not choose. KL(teacher_T || student_T) falls towards 0 with T for every
student, since both become uniform; so closeness is judged by the share of the teacher's information
that is lost, KL / (ln k - entropy of the teacher): 0 for a copy, 1 for a uniform student.

Source: Hinton, Vinyals & Dean (2015), arXiv 1503.02531; Zhao et al. (2022), Decoupled knowledge
distillation, CVPR, for the non-target mass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.moments import FloatArray, IntArray, as_clusters

TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)

_UNITS = 1000
_ZERO = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTemperature:
    """Means over the samples at one temperature.

    Attributes:
        temperature: T.
        teacher_entropy: In nats.
        non_target: Teacher's probability of all classes but the label.
        kl: KL(teacher_T || student_T) in nats; None where it is infinite.
        lost: KL over ln k - teacher's entropy; None where it is infinite or the teacher uniform.
    """

    temperature: float
    teacher_entropy: float
    non_target: float
    kl: float | None
    lost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationTemperature:
    """Teacher and student over temperatures.

    Attributes:
        n: Number of samples.
        steps: One for each temperature.
        closest: The temperature with the smallest share lost; None without one.
        low: Lower end of its bootstrap interval, one of the temperatures.
        high: Upper end.
        confidence: Of that interval.
        infinite: Samples on which the student gives 0 to what the teacher holds possible.
        reason: Why `closest` is None.
    """

    n: int
    steps: tuple[AtTemperature, ...]
    closest: float | None
    low: float | None
    high: float | None
    confidence: float
    infinite: int
    reason: str | None = None


def distillation_temperature(
    teacher: ArrayLike,
    student: ArrayLike,
    labels: ArrayLike,
    rng: np.random.Generator,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    temperatures: Sequence[float] = TEMPERATURES,
) -> DistillationTemperature:
    """The figures at every temperature, and the one at which the student is closest.

    Its interval is the percentile bootstrap over samples, or clusters, of sums of KL and of
    information; beyond 1,000 units those are summed in 1,000 random groups.

    Args:
        teacher: Log-probabilities, shape (n, k).
        student: Of the same samples and classes.
        labels: Class indices, shape (n,).
        rng: For the bootstrap.
        clusters: Integer codes, shape (n,).
        confidence: Two-sided.
        resamples: Of the bootstrap.
        temperatures: Rising, each positive.

    Raises:
        ValueError: If shapes differ, or temperatures do not rise from above 0.
    """
    t, s, y = np.asarray(teacher, float), np.asarray(student, float), np.asarray(labels)
    if t.ndim != 2 or t.shape != s.shape or y.shape != t.shape[:1]:
        raise ValueError(f"need two (n, k) and n labels, got {t.shape}, {s.shape}, {y.shape}")
    if not temperatures or temperatures[0] <= 0 or (np.diff(temperatures) <= 0).any():
        raise ValueError(f"temperatures must rise from above 0, got {tuple(temperatures)!r}")
    n = len(y)
    if n == 0:
        return _nothing(0, (), confidence, 0, "no samples")
    t, s = (logs - logs.max(axis=1, keepdims=True) for logs in (t, s))
    columns = [_at(t, s, y, temperature) for temperature in temperatures]
    entropy, other, kl = (np.stack([item[i] for item in columns], axis=1) for i in range(3))
    told = np.maximum(math.log(t.shape[1]) - entropy, 0.0)
    infinite = int(np.isinf(kl[:, 0]).sum())
    steps = tuple(
        _step(temperature, entropy[:, i], other[:, i], kl[:, i], told[:, i])
        for i, temperature in enumerate(temperatures)
    )
    if infinite:
        why = f"the student gives 0 to what the teacher holds possible on {infinite:,} samples"
        return _nothing(n, steps, confidence, infinite, why)
    if any(step.lost is None for step in steps):
        return _nothing(n, steps, confidence, 0, "the teacher is uniform: it says nothing")
    if max(step.lost or 0.0 for step in steps) < _ZERO:
        return _nothing(n, steps, confidence, 0, "the student is equal at every temperature")
    places = _bootstrap(kl, told, as_clusters(clusters, n), rng, resamples, confidence)
    return DistillationTemperature(
        n=n,
        steps=steps,
        closest=temperatures[int(np.argmin(kl.sum(axis=0) / told.sum(axis=0)))],
        low=None if places is None else temperatures[places[0]],
        high=None if places is None else temperatures[places[1]],
        confidence=confidence,
        infinite=0,
    )


def _at(
    t: FloatArray, s: FloatArray, y: IntArray, temperature: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Teacher's entropy, its non-target mass, and KL, of each sample."""
    (p, log_t), (_, log_s) = _softened(t, temperature), _softened(s, temperature)
    held = p > 0
    with np.errstate(invalid="ignore"):
        entropy = -np.where(held, p * log_t, 0.0).sum(axis=1)
        gaps = np.where(held, p * (log_t - log_s), 0.0).sum(axis=1)
    return np.maximum(entropy, 0.0), 1 - p[np.arange(len(y)), y], np.maximum(gaps, 0.0)


def _softened(logs: FloatArray, temperature: float) -> tuple[FloatArray, FloatArray]:
    """Probabilities and log-probabilities at T, of rows whose largest entry is 0."""
    scaled = logs / temperature
    weights = np.exp(scaled)
    sums = weights.sum(axis=1, keepdims=True)
    return weights / sums, scaled - np.log(sums)


def _step(
    temperature: float, entropy: FloatArray, other: FloatArray, kl: FloatArray, told: FloatArray
) -> AtTemperature:
    finite = bool(np.isfinite(kl).all())
    information = float(told.mean())
    return AtTemperature(
        temperature=temperature,
        teacher_entropy=float(entropy.mean()),
        non_target=float(np.clip(other, 0.0, 1.0).mean()),
        kl=float(kl.mean()) if finite else None,
        lost=float(kl.mean()) / information if finite and information > _ZERO else None,
    )


def _bootstrap(
    kl: FloatArray,
    told: FloatArray,
    clusters: IntArray | None,
    rng: np.random.Generator,
    resamples: int,
    confidence: float,
) -> tuple[int, int] | None:
    """Places of the ends among the temperatures; None with a single unit."""
    units = np.arange(len(kl)) if clusters is None else clusters
    count = int(units.max()) + 1
    if count < 2:
        return None
    if count > _UNITS:
        units, count = rng.permutation(count)[units] % _UNITS, _UNITS
    sums = [
        np.stack(
            [np.bincount(units, weights=column, minlength=count) for column in table.T], axis=1
        )
        for table in (kl, told)
    ]
    weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    shares = (weights @ sums[0]) / np.maximum(weights @ sums[1], _ZERO)
    places = np.sort(np.argmin(shares, axis=1))
    tail = (1 - confidence) / 2
    last = resamples - 1
    return int(places[int(tail * last)]), int(places[math.ceil((1 - tail) * last)])


def _nothing(
    n: int, steps: tuple[AtTemperature, ...], confidence: float, infinite: int, reason: str
) -> DistillationTemperature:
    return DistillationTemperature(
        n=n,
        steps=steps,
        closest=None,
        low=None,
        high=None,
        confidence=confidence,
        infinite=infinite,
        reason=reason,
    )
