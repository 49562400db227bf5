"""Several claims at once, each of a direction, all true together with one confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from kdeval.stats.interval import Interval, check_confidence

IntervalAt = Callable[[float], Interval]
"""The interval of one quantity at any two-sided confidence."""

Sign = Literal[-1, 0, 1]


def signs_shown(quantities: Sequence[IntervalAt], *, confidence: float) -> tuple[Sign, ...]:
    """For each quantity -1 or 1 where it is shown to lie below or above zero, else 0.

    Holm's (1979) step-down procedure by intervals: of r quantities not yet decided, those whose
    interval at confidence 1 - alpha / r leaves out zero are decided, until none is. With intervals
    that hold their level, the chance that any decision is wrong is at most alpha = 1 - confidence.
    """
    check_confidence(confidence)
    signs: list[Sign] = [0] * len(quantities)
    open_ones = list(range(len(quantities)))
    while open_ones:
        level = bonferroni(confidence, len(open_ones))
        decided = [
            (index, sign) for index in open_ones if (sign := _side(quantities[index](level)))
        ]
        if not decided:
            break
        for index, sign in decided:
            signs[index] = sign
        open_ones = [index for index in open_ones if not signs[index]]
    return tuple(signs)


def bonferroni(confidence: float, claims: int) -> float:
    """Two-sided confidence of each of `claims` intervals that hold together with `confidence`.

    Raises:
        ValueError: If `claims` is below 1.
    """
    if claims < 1:
        raise ValueError(f"there must be at least one claim, got {claims!r}")
    return 1 - (1 - confidence) / claims


def _side(interval: Interval) -> Sign:
    if interval.low is not None and interval.low > 0:
        return 1
    if interval.high is not None and interval.high < 0:
        return -1
    return 0
