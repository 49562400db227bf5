"""Bets against "the mean of D = a - theta b is at most 0", valid at every n without any model.

Two gamblers. `predictable` bets on samples in a shuffled order, each stake set by the spread of the
samples before it, and may stop when it is ahead; it needs samples that are drawn alike. `fixed`
spreads its capital over a few stakes chosen from n and the error alone; its units need not be
alike: the expected product of (1 + stake D) is at most 1 while the mean of their means is at most
0, by the inequality between arithmetic and geometric means. So it serves clusters of any sizes and
samples that are weighted.

No stake depends on theta but for the limit that keeps the capital above zero, so that the capital
falls in theta and the test can be inverted at one point.

Source: Waudby-Smith & Ramdas (2024), JRSS-B 86; Hoeffding (1956), Ann. Math. Stat. 27.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from kdeval.stats.moments import FloatArray, IntArray
from kdeval.stats.score_test import invert

__all__ = ["FIXED", "PREDICTABLE", "Units", "limits"]

PREDICTABLE = "betting (predictable stakes, shuffled)"
FIXED = "betting (stakes fixed by n and error)"

Range = tuple[float, float]
Limits = tuple[float | None, float | None]
LogCapital = Callable[[float, float], float]
"""Log capital against "mean of side x (a - theta b) is at most 0", by theta and side."""

_CELLS = 4096
_LARGEST = 0.95
_SEED = 20_240_229


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Independent units of D = a - theta b, b never below 0; shapes (u,).

    Attributes:
        a_range: Where a can lie.
        b_range: Where b can lie.
        prior: The theta that bets start from, before anything was seen.
        alike: Whether units are drawn alike, so that stakes may follow what was seen.
    """

    a: FloatArray
    b: FloatArray
    a_range: Range
    b_range: Range
    prior: float
    alike: bool

    @classmethod
    def of(
        cls,
        a: FloatArray,
        b: FloatArray,
        codes: IntArray | None,
        a_range: Range,
        b_range: Range,
        prior: float,
        alike: bool = True,
    ) -> Units:
        """Samples, or sums over clusters that stay in the range of one sample's."""
        if codes is not None:
            largest, alike = np.bincount(codes).max(), False
            a, b = (np.bincount(codes, weights=column) / largest for column in (a, b))
            a_range = (min(a_range[0], 0.0), max(a_range[1], 0.0))
            b_range = (0.0, b_range[1])
        return cls(a=a, b=b, a_range=a_range, b_range=b_range, prior=prior, alike=alike)

    @property
    def method(self) -> str:
        """How bets are placed."""
        return PREDICTABLE if self.alike else FIXED


def limits(units: Units, *, error: float, floor: float | None, ceiling: float | None) -> Limits:
    """Ends of the thetas that neither gambler refutes, each side at `error`; None: unbounded."""
    estimate = float(units.a.sum() / units.b.sum())
    log_capital = _predictable(units, error) if units.alike else _fixed(units, error)

    def evidence(theta: float) -> float:
        """Log capital against theta, positive if theta is too low and negative if too high."""
        if theta == estimate:
            return 0.0
        side = 1.0 if theta < estimate else -1.0
        return side * max(log_capital(theta, side), 0.0)

    return invert(
        evidence, estimate=estimate, critical=math.log(1 / error), floor=floor, ceiling=ceiling
    )


def _predictable(units: Units, error: float) -> LogCapital:
    """Highest log capital along the way."""
    n = len(units.a)
    order = np.random.default_rng(_SEED).permutation(n)
    a, b = units.a[order], units.b[order]
    start = ((units.a_range[1] - units.a_range[0]) / 2) ** 2
    ratio = (np.cumsum(a) + units.prior) / (np.cumsum(b) + 1.0)
    before = np.concatenate([[units.prior], ratio[:-1]])
    spread = (start + np.cumsum((a - before * b) ** 2)) / np.arange(2, n + 2)
    variance = np.concatenate([[start], spread[:-1]])
    wanted = np.sqrt(2 * math.log(1 / error) / (n * variance))

    def log_capital(theta: float, side: float) -> float:
        gains, lowest = side * (a - theta * b), _lowest(units, theta, side)
        if lowest >= 0:
            return _certain(gains)
        stakes = np.minimum(wanted, _LARGEST / -lowest)
        return float(np.cumsum(np.log1p(stakes * gains)).max(initial=0.0))

    return log_capital


def _fixed(units: Units, error: float) -> LogCapital:
    """Log of the mean capital over the stakes; each stake is at most twice the one before."""
    cells, counts = np.unique(np.stack([units.a, units.b]), axis=1, return_counts=True)
    a, b, times = cells[0], cells[1], counts.astype(np.float64)
    least = min(0.5, math.sqrt(2 * math.log(1 / error) / len(units.a)))
    stakes = np.geomspace(least, 1.0, 1 + math.ceil(-math.log2(least)))

    def log_capital(theta: float, side: float) -> float:
        gains, lowest = side * (a - theta * b), _lowest(units, theta, side)
        if lowest >= 0:
            return _certain(gains)
        gains, weights = _on_grid(gains / -lowest, times)
        with np.errstate(divide="ignore"):
            logs = np.log1p(np.maximum(np.outer(stakes, gains), -1.0)) @ weights
        return float(logsumexp(logs)) - math.log(len(stakes))

    return log_capital


def _lowest(units: Units, theta: float, side: float) -> float:
    """The least that side x D can be."""
    return min(side * (a - theta * b) for a in units.a_range for b in units.b_range)


def _certain(gains: FloatArray) -> float:
    """Where D cannot be negative, any gain refutes a mean of 0."""
    return math.inf if (gains > 0).any() else 0.0


def _on_grid(gains: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """More gains than a few thousand, each split between neighbours of a grid: never more capital.

    A split keeps the mean, and by concavity of the logarithm lowers the mean log.
    """
    if len(gains) <= _CELLS:
        return gains, counts
    low, high = float(gains.min()), float(gains.max())
    places = (gains - low) / (high - low) * _CELLS
    left = np.minimum(places.astype(np.int64), _CELLS - 1)
    share = places - left
    grid: FloatArray = np.zeros(_CELLS + 1)
    grid += np.bincount(left, weights=counts * (1 - share), minlength=_CELLS + 1)
    grid += np.bincount(left + 1, weights=counts * share, minlength=_CELLS + 1)
    return np.linspace(low, high, _CELLS + 1), grid
