"""How far one distribution lies from another: Kullback-Leibler, Jensen-Shannon, total variation.

Everything is computed from log-probabilities, so that no probability is too small to count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from kdeval.stats.moments import FloatArray
from kdeval.stats.temperature import scale

__all__ = [
    "Divergences",
    "divergences",
    "entropy",
    "js_divergence",
    "kl_divergence",
    "total_variation",
]

_SUM_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergences:
    """Teacher against student, a sample each; all arrays of shape (n,).

    Attributes:
        temperature: both distributions were raised to 1 / temperature and renormalised.
        kl: KL(teacher ‖ student) in nats; infinite where the student gives 0 to what the teacher
            holds possible.
        js: Jensen-Shannon in bits, in [0, 1].
        tv: total variation, in [0, 1]: the largest difference in probability of any event.
        teacher_entropy: in nats.
        student_entropy: in nats.
    """

    temperature: float
    kl: FloatArray
    js: FloatArray
    tv: FloatArray
    teacher_entropy: FloatArray
    student_entropy: FloatArray


def divergences(teacher: ArrayLike, student: ArrayLike, *, temperature: float = 1.0) -> Divergences:
    """Every divergence of each row at this temperature.

    Args:
        teacher: natural-log probabilities, shape (n, k); rows sum to one, -inf is allowed.
        student: the same of the student.
        temperature: above 0; 1 leaves the distributions as they are.

    Raises:
        ValueError: shapes differ, a row does not sum to one, or a value is NaN or above 0.
    """
    p, q = _both(teacher, student)
    if temperature != 1 or not 0 < temperature < math.inf:
        p, q = scale(p, temperature), scale(q, temperature)
    return Divergences(
        temperature=temperature,
        kl=_kl(p, q),
        js=_js(p, q),
        tv=_tv(p, q),
        teacher_entropy=_entropy(p),
        student_entropy=_entropy(q),
    )


def kl_divergence(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """KL(p ‖ q) of each row in nats, shape (n,); infinite where q is 0 and p is not.

    Arguments and errors as for `divergences`. Source: Kullback & Leibler (1951), Annals of
    Mathematical Statistics 22.
    """
    return _kl(*_both(p, q))


def js_divergence(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Jensen-Shannon divergence of each row in bits, in [0, 1], shape (n,); always finite.

    Arguments and errors as for `divergences`. Source: Lin (1991), IEEE Transactions on
    Information Theory 37.
    """
    return _js(*_both(p, q))


def total_variation(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Half the sum of absolute differences in probability of each row, in [0, 1], shape (n,)."""
    return _tv(*_both(p, q))


def entropy(p: ArrayLike) -> FloatArray:
    """Shannon entropy of each row in nats, shape (n,)."""
    return _entropy(_rows(p, "p"))


def _kl(p: FloatArray, q: FloatArray) -> FloatArray:
    found: FloatArray = np.maximum(_sum(p, p, q), 0.0)
    return found


def _js(p: FloatArray, q: FloatArray) -> FloatArray:
    middle = np.logaddexp(p, q) - math.log(2)
    halves = (_sum(p, p, middle) + _sum(q, q, middle)) / 2
    found: FloatArray = np.clip(halves / math.log(2), 0.0, 1.0)
    return found


def _tv(p: FloatArray, q: FloatArray) -> FloatArray:
    found: FloatArray = np.minimum(np.abs(np.exp(p) - np.exp(q)).sum(axis=1) / 2, 1.0)
    return found


def _entropy(p: FloatArray) -> FloatArray:
    found: FloatArray = np.maximum(-_sum(p, p, np.zeros_like(p)), 0.0)
    return found


def _sum(weights: FloatArray, ones: FloatArray, others: FloatArray) -> FloatArray:
    """Sum of exp(weights) (ones - others) by row, with 0 log 0 = 0."""
    with np.errstate(invalid="ignore"):
        terms = np.exp(weights) * (ones - others)
    sums: FloatArray = np.where(np.isneginf(weights), 0.0, terms).sum(axis=1)
    return sums


def _both(p: ArrayLike, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
    teacher, student = _rows(p, "teacher"), _rows(q, "student")
    if teacher.shape != student.shape:
        raise ValueError(
            f"teacher has shape {teacher.shape} and student {student.shape}; they must be the same"
        )
    return teacher, student


def _rows(log_probs: ArrayLike, name: str) -> FloatArray:
    logs = np.asarray(log_probs, dtype=np.float64)
    if logs.ndim != 2:
        raise ValueError(f"{name} must have shape (n, k), got {logs.shape}")
    if np.isnan(logs).any() or (logs > _SUM_TOLERANCE).any():
        raise ValueError(f"{name} holds NaN or a log-probability above 0")
    if logs.size and not (np.abs(logsumexp(logs, axis=1)) < _SUM_TOLERANCE).all():
        raise ValueError(f"{name}: the probabilities of a row do not sum to 1; renormalise them")
    return logs
