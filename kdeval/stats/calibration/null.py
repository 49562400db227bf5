"""What a figure would be if every probability were right: simulated, and set beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdeval.stats.calibration.groups import Groups
from kdeval.stats.moments import FloatArray

SIMULATIONS = 1000
"""Models simulated for a null, unless told otherwise."""

Tail = Literal["upper", "both"]
Statistic = Callable[[Groups, FloatArray], FloatArray]

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstNull:
    """A figure beside its distribution for a perfectly calibrated model of equal confidence.

    Attributes:
        estimate: The figure.
        expected: Its mean under perfect calibration.
        low: Its 2.5 % quantile there.
        high: Its 97.5 % quantile there.
        p_value: Chance there of a figure at least this large (`tail` "upper"), or at least this
            unlikely in either direction ("both"); never 0. It takes samples as independent.
        tail: Which.
        simulations: Models simulated; None where a formula took their place.
        reason: Why a number is None.
    """

    estimate: float | None
    expected: float | None
    low: float | None
    high: float | None
    p_value: float | None
    tail: Tail
    simulations: int | None
    reason: str | None = None


def simulated_right(groups: Groups, rng: np.random.Generator, simulations: int) -> FloatArray:
    """Right answers of models that are right with probability `confidence`, shape (s, g)."""
    p = groups.confidence
    if groups.n == len(groups.count):
        return (rng.random((simulations, len(p))) < p).astype(np.float64)
    return rng.binomial(groups.count, p, size=(simulations, len(p))).astype(np.float64)


def against(estimate: float, observed: float, null: FloatArray, *, tail: Tail) -> AgainstNull:
    """The figure beside its simulated null.

    Args:
        estimate: The figure itself.
        observed: The same, computed as in the simulations.
        null: Of the simulations; NaN where the simulated model has no such figure.
        tail: Which figures count against calibration.
    """
    values = null[~np.isnan(null)]
    if len(values) == 0:
        return without_null(estimate, tail, "no simulated model has such a figure")
    above = int((values >= observed - _ROUNDING).sum())
    p_value = (1 + above) / (len(values) + 1)
    if tail == "both":
        below = (1 + int((values <= observed + _ROUNDING).sum())) / (len(values) + 1)
        p_value = min(1.0, 2 * min(p_value, below))
    low, high = np.quantile(values, (0.025, 0.975))
    return AgainstNull(
        estimate=estimate,
        expected=float(values.mean()),
        low=float(low),
        high=float(high),
        p_value=p_value,
        tail=tail,
        simulations=len(values),
    )


def without_null(estimate: float | None, tail: Tail, reason: str | None) -> AgainstNull:
    """A figure that has no null, or no value."""
    return AgainstNull(
        estimate=estimate,
        expected=None,
        low=None,
        high=None,
        p_value=None,
        tail=tail,
        simulations=None,
        reason=reason,
    )
