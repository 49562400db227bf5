"""The one result type of every interval in kdeval."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its two-sided confidence interval.

    A number that is unknown or unbounded is None, never NaN or infinity, and `reason` then says
    why. The one-sided bounds at level L are the ends of the interval at confidence 2L - 1.

    Attributes:
        estimate: The point estimate.
        low: The lower end.
        high: The upper end.
        confidence: Two-sided nominal confidence, strictly between 0 and 1.
        method: Name of the method, as a statistician would cite it.
        n: Number of samples (pairs, for paired methods).
        clusters: Number of clusters, or None when the samples were taken as independent.
        reason: Why the estimate or an end is missing, in plain words.
    """

    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    method: str
    n: int
    clusters: int | None
    reason: str | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        numbers = [x for x in (self.estimate, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError(f"an interval holds finite numbers or None, got {numbers!r}")


def one_sided(level: float) -> float:
    """Two-sided confidence whose ends are the one-sided bounds at `level` (2L - 1).

    Raises:
        ValueError: If `level` is not strictly between 0.5 and 1.
    """
    if not 0.5 < level < 1:
        raise ValueError(f"a one-sided level must lie between 0.5 and 1, got {level!r}")
    return 2 * level - 1


def check_confidence(confidence: float) -> None:
    """Nothing, or ValueError unless 0 < confidence < 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")


def unknown(
    reason: str,
    *,
    confidence: float,
    method: str,
    n: int,
    clusters: int | None = None,
    estimate: float | None = None,
) -> Interval:
    """An interval without ends, and why."""
    return Interval(
        estimate=estimate,
        low=None,
        high=None,
        confidence=confidence,
        method=method,
        n=n,
        clusters=clusters,
        reason=reason,
    )
