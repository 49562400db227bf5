"""Intervals for one proportion."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import betainccinv, betaincinv

from kdeval.stats.critical import normal_critical
from kdeval.stats.interval import Interval, check_confidence, unknown

Side = Literal["two-sided", "lower", "upper"]


def clopper_pearson(
    successes: int, n: int, *, confidence: float = 0.95, side: Side = "two-sided"
) -> Interval:
    """Exact interval for a proportion: its coverage is never below `confidence`.

    A one-sided bound spends the whole error on its own end, the other end being 0 or 1: with
    side="upper" and confidence=0.95, P(p <= high) is at least 0.95.

    Raises:
        ValueError: Unless 0 <= successes <= n.

    Source: Clopper & Pearson (1934), Biometrika 26.
    """
    check_confidence(confidence)
    _check_counts(successes, n)
    method = "Clopper-Pearson" if side == "two-sided" else f"Clopper-Pearson ({side})"
    if n == 0:
        return unknown("no samples", confidence=confidence, method=method, n=0)
    tail = (1 - confidence) / 2 if side == "two-sided" else 1 - confidence
    low, high = 0.0, 1.0
    if successes > 0 and side != "upper":
        low = float(betaincinv(successes, n - successes + 1, tail))
    if successes < n and side != "lower":
        high = float(betainccinv(successes + 1, n - successes, tail))
    return Interval(
        estimate=successes / n,
        low=low,
        high=high,
        confidence=confidence,
        method=method,
        n=n,
        clusters=None,
    )


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Score interval for a proportion; asymptotic, but sound at 0 and n successes.

    Averaged over rates it holds its level from n = 10 on; for a single true rate within a few
    samples of 0 or 1 it can miss 16 % of the time at a nominal 5 % (by enumeration).
    `clopper_pearson` never misses more than it says.

    Raises:
        ValueError: Unless 0 <= successes <= n.

    Source: Wilson (1927), JASA 22.
    """
    check_confidence(confidence)
    _check_counts(successes, n)
    if n == 0:
        return unknown("no samples", confidence=confidence, method="Wilson score", n=0)
    low, high = wilson_limits(successes / n, n, normal_critical(confidence))
    return Interval(
        estimate=successes / n,
        low=low,
        high=high,
        confidence=confidence,
        method="Wilson score",
        n=n,
        clusters=None,
    )


def wilson_limits(rate: float, n: float, critical: float) -> tuple[float, float]:
    """Ends of the score interval; `n` need not be whole (an effective sample size)."""
    weight = critical**2 / n
    centre = (rate + weight / 2) / (1 + weight)
    half = critical / (1 + weight) * math.sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return (
        min(max(0.0, centre - half), rate),
        max(min(1.0, centre + half), rate),
    )


def _check_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n, got {successes!r} of {n!r}")
