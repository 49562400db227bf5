"""How many samples a decision needs where no mean of D is tested: shares, ratios, looks."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, ndtri

from kdeval.stats.critical import normal_critical
from kdeval.stats.interval import one_sided
from kdeval.stats.planning.pairs import MARGIN
from kdeval.stats.sequential.group_sequential import lan_demets

__all__ = ["samples_by_scaling", "samples_for_share_below", "with_looks"]

_MOST_EVENTS = 2**20
_MOST = 2**40
_PATHS = 40_000
_STEPS = 10_000


def samples_for_share_below(
    limit: float, rate: float, *, level: float, power: float = 0.8
) -> int | None:
    """Samples with which the Clopper-Pearson upper bound of a share lies below `limit`.

    Exact: the smallest n at which so few events that the bound clears the limit have the wished
    probability. None where the rate is not below the limit.

    Args:
        limit: in (0, 1).
        rate: the share that is assumed.
        level: one-sided.
        power: probability to pass.
    """
    if rate >= limit:
        return None

    def enough(events: int) -> bool:
        return float(bdtr(events, _fewest(events, limit, level), rate)) >= power

    high = 1
    if enough(0):
        return _fewest(0, limit, level)
    while not enough(high):
        high *= 2
        if high > _MOST_EVENTS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _fewest(high, limit, level)


def samples_by_scaling(
    n: int, *, reach: float, distance: float, level: float, power: float = 0.8
) -> int | None:
    """Samples with which an interval clears a limit, when its reach falls as 1 / sqrt(n).

    Args:
        n: samples that it was made from.
        reach: from the estimate to its one-sided bound at `level`.
        distance: from the estimate to the limit, positive on the side that passes; both in one
            scale (logarithms for ratios).
        level: one-sided.
        power: probability to pass.
    """
    if distance <= 0 or reach < 0:
        return None
    critical = normal_critical(one_sided(level))
    widened = reach * (critical + float(ndtri(power))) / critical
    needed = MARGIN * n * (widened / distance) ** 2
    return max(2, math.ceil(needed)) if needed < _MOST else None


def with_looks(needed: int, *, level: float, power: float = 0.8, looks: int = 5) -> tuple[int, int]:
    """Samples on average and at most, if equally spaced looks may end it with a pass.

    The looks spend the error as an O'Brien-Fleming design does; the most is what keeps the power
    of a test on `needed` samples, the average is taken in the world that was planned for.
    """
    inflation, share = _design(level, power, looks)
    most = math.ceil(needed * inflation)
    return math.ceil(most * share), most


@lru_cache(maxsize=256)
def _design(level: float, power: float, looks: int) -> tuple[float, float]:
    """By how much the last look lies beyond a single test's n, and the mean share of it asked.

    From a fixed set of Brownian paths: the drift with which the wished share of them crosses.
    """
    design = lan_demets(tuple(_STEPS * k for k in range(1, looks + 1)), 1 - level)
    bounds = np.array([np.inf if at is None else float(ndtri(at)) for at in design.levels])
    t = np.arange(1, looks + 1) / looks
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((_PATHS // 2, looks)) / math.sqrt(looks)
    paths = np.concatenate([steps, -steps]).cumsum(axis=1)

    def crossed(drift: float) -> np.ndarray:
        found: np.ndarray = (paths + drift * t) / np.sqrt(t) >= bounds
        return found

    single = normal_critical(one_sided(level)) + float(ndtri(power))
    low, high = single * 0.9, single * 1.5
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if crossed(middle).any(axis=1).mean() >= power else (middle, high)
    over = crossed(high)
    stopped = np.where(over.any(axis=1), over.argmax(axis=1) + 1, looks)
    return max(1.0, (high / single) ** 2), float(stopped.mean() / looks)


def _fewest(events: int, limit: float, level: float) -> int:
    """The smallest n of which that many events show a share below the limit."""

    def shown(n: int) -> bool:
        return float(bdtr(events, n, limit)) <= 1 - level

    high = events + 1
    while not shown(high):
        high *= 2
    low = events
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
