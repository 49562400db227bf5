"""How many samples a strict bound needs beside an asymptotic one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.means.paired import mean, paired_difference, retention
from kdeval.stats.moments import FloatArray
from kdeval.stats.planning.pairs import PairedRates
from kdeval.stats.strict.intervals import strict_difference, strict_mean, strict_retention

__all__ = ["StrictFigure", "samples_for_strict"]

StrictFigure = Literal["retention", "difference", "score"]

_DRAWS = 20
_MOST_DRAWN = 20_000
_ROUNDS = 3

_Pair = tuple[Callable[..., Interval], Callable[..., Interval]]
_BOUNDS: Mapping[StrictFigure, _Pair] = {
    "retention": (strict_retention, retention),
    "difference": (strict_difference, paired_difference),
    "score": (
        lambda _teacher, student, confidence: strict_mean(student, confidence=confidence),
        lambda _teacher, student, confidence: mean(student, confidence=confidence),
    ),
}


def samples_for_strict(
    needed: int, figure: StrictFigure, rates: PairedRates, *, level: float, at_least: int = 0
) -> int:
    """Samples for a strict bound where an asymptotic one takes `needed`.

    A bound's reach falls as 1 / sqrt(n), so that one which reaches w times as far takes w^2 times
    the samples; w is the mean over simulated sets of the size in question.

    Args:
        needed: of the asymptotic bound.
        figure: what is bounded; scores are right or wrong.
        rates: the world.
        level: one-sided.
        at_least: floor of the strict bound.
    """
    n = max(needed, at_least)
    for _ in range(_ROUNDS):
        n = max(math.ceil(needed * _widening(figure, rates, n, level) ** 2), at_least)
    return n


def _widening(figure: StrictFigure, rates: PairedRates, n: int, level: float) -> float:
    """By how much farther the strict bound reaches from the estimate, at least 1."""
    strict, asymptotic = _BOUNDS[figure]
    rng = np.random.default_rng([n, 7])
    reaches = np.zeros(2)
    for _ in range(_DRAWS):
        cells = rng.choice(4, p=rates.cells, size=min(n, _MOST_DRAWN))
        teacher = np.isin(cells, (0, 2)).astype(np.float64)
        student = np.isin(cells, (0, 1)).astype(np.float64)
        own = _reach(strict, teacher, student, level)
        other = _reach(asymptotic, teacher, student, level)
        if own is not None and other is not None:
            reaches += (own, other)
    return max(1.0, float(reaches[0] / reaches[1])) if reaches[1] > 0 else 1.0


def _reach(
    bound: Callable[..., Interval], teacher: FloatArray, student: FloatArray, level: float
) -> float | None:
    found = bound(teacher, student, confidence=one_sided(level))
    if found.estimate is None or found.low is None:
        return None
    return found.estimate - found.low
