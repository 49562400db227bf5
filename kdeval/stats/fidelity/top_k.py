"""What the likeliest few tokens of two models prove about their whole distributions.

An API gives the k likeliest tokens at temperature 1 and nothing of the rest. Over the tokens that
both lists hold, with the rest pooled into one event, divergences can only shrink (the data
processing inequality): that is a lower bound. Renormalising the lists to sum to one is no bound at
all. KL has no upper bound: the rest may hold a token to which the student gives nearly nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

__all__ = ["TopKBounds", "top_k_bounds"]

_ROUNDING = 1e-6
"""Log-probabilities come rounded; a tail below this is not told from none."""

_MOST = 1.01
"""A list may sum to that before it is no part of a distribution at temperature 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopKBounds:
    """Bounds on the divergences at one token.

    Attributes:
        known: tokens in both lists.
        teacher_rest: the teacher's probability of all other tokens.
        student_rest: the same of the student.
        kl_low: KL(teacher ‖ student) is at least this, in nats; it has no upper bound.
        js_low: Jensen-Shannon is at least this, in bits.
        js_high: and at most this.
        tv_low: total variation is at least this.
        tv_high: and at most this.
    """

    known: int
    teacher_rest: float
    student_rest: float
    kl_low: float
    js_low: float
    js_high: float
    tv_low: float
    tv_high: float


def top_k_bounds(
    teacher: Mapping[Hashable, float], student: Mapping[Hashable, float]
) -> TopKBounds:
    """Bounds from the likeliest tokens of both models at temperature 1.

    Args:
        teacher: token to its natural-log probability; any number of tokens.
        student: the same of the student; the tokens need not be the same.

    Raises:
        ValueError: a log-probability is NaN or above 0, or a list sums to more than 1: it is then
            not of temperature 1, or of no distribution.
    """
    _check(teacher, "teacher")
    _check(student, "student")
    shared = [token for token in teacher if token in student]
    pairs = [(math.exp(teacher[token]), math.exp(student[token])) for token in shared]
    p_rest = max(0.0, 1 - math.fsum(p for p, _ in pairs))
    q_rest = max(0.0, 1 - math.fsum(q for _, q in pairs))
    apart = math.fsum(abs(p - q) for p, q in pairs) / 2
    known = math.fsum(_js_part(p, q) for p, q in pairs)
    kl = math.fsum(
        p * (teacher[token] - student[token])
        for token, (p, _) in zip(shared, pairs, strict=True)
        if p > 0
    )
    if p_rest > 0:
        kl += p_rest * math.log(p_rest / max(q_rest, _ROUNDING))
    return TopKBounds(
        known=len(pairs),
        teacher_rest=p_rest,
        student_rest=q_rest,
        kl_low=max(0.0, kl),
        js_low=min(1.0, max(0.0, known + _js_part(p_rest, q_rest))),
        js_high=min(1.0, max(0.0, known + (p_rest + q_rest) / 2)),
        tv_low=min(1.0, apart + abs(p_rest - q_rest) / 2),
        tv_high=min(1.0, apart + (p_rest + q_rest) / 2),
    )


def _js_part(p: float, q: float) -> float:
    """What one event adds to the Jensen-Shannon divergence, in bits."""
    middle = (p + q) / 2
    return sum(x * math.log2(x / middle) for x in (p, q) if x > 0) / 2


def _check(log_probs: Mapping[Hashable, float], name: str) -> None:
    for token, value in log_probs.items():
        if math.isnan(value) or value > _ROUNDING:
            raise ValueError(f"{name}: {token!r} has log-probability {value}: NaN, or above 0")
    total = math.fsum(math.exp(value) for value in log_probs.values())
    if total > _MOST:
        raise ValueError(
            f"{name}: the probabilities sum to {total:.4g}: no part of a distribution at "
            "temperature 1"
        )
