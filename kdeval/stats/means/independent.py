"""The difference between two estimates that were made on samples of their own."""

from __future__ import annotations

import math

from kdeval.stats.interval import Interval, unknown


def difference_of_independent(first: Interval, second: Interval) -> Interval:
    """The interval of first minus second, from independent samples.

    Squares the distances from each estimate to its relevant end and adds them (MOVER), so that
    each side keeps the shape of its own method's interval. An end that one of the two lacks is
    None here, with the reason.

    Source: Zou & Donner (2008), Statistics in Medicine 27; Newcombe (1998) for proportions.

    Raises:
        ValueError: If the two have different confidences.
    """
    if first.confidence != second.confidence:
        raise ValueError(
            f"intervals at {first.confidence} and {second.confidence} cannot be combined"
        )
    n, clusters = first.n + second.n, _units(first, second)
    if first.estimate is None or second.estimate is None:
        return unknown(
            first.reason or second.reason or "one of the two is unknown",
            confidence=first.confidence, method="square-and-add", n=n, clusters=clusters,
        )  # fmt: skip
    estimate = first.estimate - second.estimate
    below = _distance(first.estimate, first.low, second.estimate, second.high)
    above = _distance(first.estimate, first.high, second.estimate, second.low)
    bounded = below is not None and above is not None
    return Interval(
        estimate=estimate,
        low=None if below is None else estimate - below,
        high=None if above is None else estimate + above,
        confidence=first.confidence,
        method=f"square-and-add of {_methods(first, second)}",
        n=n,
        clusters=clusters,
        reason=None if bounded else first.reason or second.reason or "an end is unbounded",
    )


def _distance(a: float, a_end: float | None, b: float, b_end: float | None) -> float | None:
    return None if a_end is None or b_end is None else math.hypot(a - a_end, b - b_end)


def _units(first: Interval, second: Interval) -> int | None:
    if first.clusters is None and second.clusters is None:
        return None
    return sum(side.n if side.clusters is None else side.clusters for side in (first, second))


def _methods(first: Interval, second: Interval) -> str:
    return " and ".join(dict.fromkeys((first.method, second.method)))
