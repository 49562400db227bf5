"""How the error of one decision is spread over several looks at growing data.

A test repeated at its full level on the way passes a bad student several times too often. Here each
look has a level of its own, such that crossing at any look has the probability of one test.

Sources: O'Brien & Fleming (1979), Biometrics 35; Lan & DeMets (1983), Biometrika 70; Armitage,
McPherson & Rowe (1969), JRSS-A 132 for the integration; Jennison & Turnbull (2000), Group
Sequential Methods, chapters 2, 7 and 19.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from kdeval.stats.moments import FloatArray

__all__ = [
    "DesignKind",
    "SequentialDesign",
    "crossing_probabilities",
    "each_look_alone",
    "lan_demets",
    "obrien_fleming",
]

DesignKind = Literal["obrien_fleming", "split", "once", "betting"]

_LEAST_SPENT = 1e-12
_LEAST_STEP = 1e-3
_FARTHEST = 8.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialDesign:
    """The one-sided error of one decision, look by look.

    Attributes:
        kind: obrien_fleming (almost all of the error is kept for late looks), split (each look has
            a part of it, whatever the test), once (all of it at the first look with data), betting
            (a bound that holds at every look at once).
        alpha: the error over all looks together.
        information: independent units (samples or clusters) at each look, not falling.
        levels: one-sided confidence at each look; None where nothing can be decided: no data, too
            little that is new, or an error too small to be told from none.
        spent: error used up to and including each look.
    """

    kind: DesignKind
    alpha: float
    information: tuple[int, ...]
    levels: tuple[float | None, ...]
    spent: tuple[float, ...]

    @property
    def looks(self) -> int:
        """Number of looks."""
        return len(self.information)


@lru_cache(maxsize=512)
def lan_demets(information: tuple[int, ...], alpha: float) -> SequentialDesign:
    """Levels that spend `alpha` as an O'Brien-Fleming design does, at any information.

    Spent up to information fraction t: 2 - 2 Phi(z / sqrt t), z the 1 - alpha/2 quantile. What a
    look uses depends on the looks before it only, so they need not be equally far apart.

    Args:
        information: units at each look, not falling; the last is all there will be.
        alpha: one-sided error, below 0.5.

    Raises:
        ValueError: a fall in `information`, no look, or an alpha out of range.
    """
    used = _looks_that_add(information, alpha)
    total = information[-1]
    quantile = float(ndtri(1 - alpha / 2))
    levels: list[float | None] = [None] * len(information)
    spent = [0.0] * len(information)
    walk, before = _Walk.start(), 0.0
    for position, look in enumerate(used):
        t = information[look] / total
        target = alpha if look == used[-1] else 2 * float(ndtr(-quantile / math.sqrt(t)))
        if target - before < _LEAST_SPENT:
            continue
        step = _next_step(information, used, position)
        boundary = walk.boundary(t, target - before)
        walk, before = walk.advanced(t, boundary, step), target
        levels[look] = float(ndtr(boundary))
        spent[look] = target
    return SequentialDesign(
        kind="once" if len(used) == 1 else "obrien_fleming",
        alpha=alpha,
        information=information,
        levels=tuple(levels),
        spent=tuple(np.maximum.accumulate(spent).tolist()),
    )


@lru_cache(maxsize=512)
def obrien_fleming(information: tuple[int, ...], alpha: float) -> SequentialDesign:
    """Levels of the classical design: the boundary on Z is C / sqrt(information fraction).

    For equal steps C is the published constant. Arguments and errors as for `lan_demets`.
    """
    used = _looks_that_add(information, alpha)
    times = [information[look] / information[-1] for look in used]

    def excess(constant: float) -> float:
        bounds = [constant / math.sqrt(t) for t in times]
        return sum(crossing_probabilities(times, bounds)) - alpha

    constant = brentq(excess, float(ndtri(1 - alpha)) - 1e-9, 8.0, xtol=1e-10)
    bounds = [constant / math.sqrt(t) for t in times]
    crossed = np.cumsum(crossing_probabilities(times, bounds))
    levels: list[float | None] = [None] * len(information)
    spent = [0.0] * len(information)
    for look, boundary, up_to in zip(used, bounds, crossed, strict=True):
        spent[look] = min(float(up_to), alpha)
        if up_to >= _LEAST_SPENT:
            levels[look] = float(ndtr(boundary))
    return SequentialDesign(
        kind="obrien_fleming",
        alpha=alpha,
        information=information,
        levels=tuple(levels),
        spent=tuple(np.maximum.accumulate(spent).tolist()),
    )


def each_look_alone(
    information: tuple[int, ...], alpha: float, *, open_ended: bool = False
) -> SequentialDesign:
    """Every look has a share of `alpha` of its own: Bonferroni, valid for every test.

    Equal shares, or for an open end alpha / (k (k + 1)) at look k, which never add up to more than
    alpha. Looks without new data get none.
    """
    _check(information, alpha)
    new = [b > a for a, b in zip((0, *information[:-1]), information, strict=True)]
    shares, k = [], 0
    for adds in new:
        k += adds
        share = 1 / (k * (k + 1)) if open_ended and k else 1 / max(sum(new), 1)
        shares.append(alpha * share if adds else 0.0)
    return SequentialDesign(
        kind="once" if sum(new) == 1 and not open_ended else "split",
        alpha=alpha,
        information=information,
        levels=tuple(1 - share if share else None for share in shares),
        spent=tuple(np.cumsum(shares).tolist()),
    )


def crossing_probabilities(
    fractions: Sequence[float], boundaries: Sequence[float]
) -> tuple[float, ...]:
    """Probability, without any effect, that Z crosses its boundary first at each of the looks.

    Args:
        fractions: information at each look, rising; only ratios matter.
        boundaries: on the standardised statistic, same length.
    """
    walk, found = _Walk.start(), []
    for look, (t, boundary) in enumerate(zip(fractions, boundaries, strict=True)):
        found.append(walk.crossing(t, boundary))
        following = fractions[look + 1] - t if look + 1 < len(fractions) else None
        walk = walk.advanced(t, boundary, following)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """A Brownian motion at time t that has crossed no boundary yet: points and their masses."""

    t: float
    points: FloatArray
    masses: FloatArray

    @classmethod
    def start(cls) -> _Walk:
        return cls(t=0.0, points=np.zeros(1), masses=np.ones(1))

    def crossing(self, t: float, boundary: float) -> float:
        """Mass that lies above the boundary at time t."""
        away = boundary * math.sqrt(t) - self.points
        return float(self.masses @ ndtr(-away / math.sqrt(t - self.t)))

    def boundary(self, t: float, probability: float) -> float:
        """The boundary that is crossed at time t with that probability."""

        def excess(z: float) -> float:
            return self.crossing(t, z) - probability

        return float(brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-12))

    def advanced(self, t: float, boundary: float, following: float | None) -> _Walk:
        """The same at time t, without what lies above the boundary.

        The grid is as fine as the steps before and after t are short, since the density is as
        smooth as they are long.
        """
        step = t - self.t
        panel = math.sqrt(step if following is None else min(step, following))
        low, high = -_FARTHEST * math.sqrt(t), min(boundary, _FARTHEST) * math.sqrt(t)
        count = max(8, math.ceil((high - low) / panel))
        edges = np.linspace(low, high, count + 1)
        half = (high - low) / count / 2
        points = ((edges[:-1] + half)[:, None] + half * _NODES).ravel()
        weights = np.tile(half * _WEIGHTS, count)
        spread = math.sqrt(step)
        kernel = np.exp(-0.5 * ((points[:, None] - self.points) / spread) ** 2)
        density = kernel @ self.masses / (spread * math.sqrt(2 * math.pi))
        return _Walk(t=t, points=points, masses=weights * density)


def _check(information: tuple[int, ...], alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha!r}")
    if not information:
        raise ValueError("a design needs at least one look")
    if information[0] < 0 or any(b < a for a, b in itertools.pairwise(information)):
        raise ValueError(f"information must not fall, got {information!r}")


def _looks_that_add(information: tuple[int, ...], alpha: float) -> list[int]:
    """Looks with data that the one before did not have.

    What the last look hardly adds to is passed over in favour of the last one, which must count.
    """
    _check(information, alpha)
    least = _LEAST_STEP * information[-1]
    used: list[int] = []
    for look in reversed(range(len(information))):
        if information[look] == 0:
            break
        if not used or information[used[-1]] - information[look] > least:
            used.append(look)
        elif information[look] == information[used[-1]]:
            used[-1] = look
    if not used:
        raise ValueError("no look has any data")
    return used[::-1]


def _next_step(information: tuple[int, ...], used: list[int], position: int) -> float | None:
    if position + 1 == len(used):
        return None
    return (information[used[position + 1]] - information[used[position]]) / information[-1]
