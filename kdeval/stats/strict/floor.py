"""The fewest samples that a strict retention can pass with."""

from __future__ import annotations

import numpy as np

from kdeval.stats.interval import one_sided
from kdeval.stats.strict.intervals import strict_retention

__all__ = ["strict_floor"]

_MOST = 1_000_000


def strict_floor(
    threshold: float, teacher_rate: float, *, level: float, chance: float = 0.0
) -> int | None:
    """Samples below which "retention >= threshold" cannot pass strictly, without a single flip.

    For a teacher right on 90 % and level 0.95 about 34 for a threshold of 0.90, 69 for 0.95 and
    175 for 0.98; where right answers fall in the order of bets moves it by a few.

    Args:
        threshold: Retention to be shown.
        teacher_rate: Share of samples that the teacher gets right, in [0, 1].
        level: One-sided.
        chance: Score of guessing, where retention is taken above it.

    Returns:
        The number, or None where no number up to a million would do.
    """
    if not 0 <= teacher_rate <= 1:
        raise ValueError(f"teacher_rate must lie in [0, 1], got {teacher_rate!r}")
    if threshold >= 1 or teacher_rate <= chance:
        return None

    def passes(n: int) -> bool:
        right = np.floor(np.arange(1, n + 1) * teacher_rate + 1e-9)
        scores = np.diff(right, prepend=0.0)
        if scores.mean() <= chance:
            return False
        low = strict_retention(scores, scores, chance=chance, confidence=one_sided(level)).low
        return low is not None and low >= threshold

    high = 1
    while not passes(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
