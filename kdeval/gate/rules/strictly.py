"""Bounds of a rule that promises to err no more often than it says, at any n."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdeval.errors import ConfigError
from kdeval.gate.anytime import betting_range
from kdeval.gate.measurement import FloatArray, Measurement
from kdeval.gate.resolve import Target
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.moments import as_clusters
from kdeval.stats.strict.floor import strict_floor
from kdeval.stats.strict.intervals import (
    strict_macro_difference,
    strict_macro_retention,
    strict_mean,
    strict_retention,
)

__all__ = ["strictly"]

_MACRO: dict[str, Callable[..., Interval]] = {
    "macro_retention": strict_macro_retention,
    "macro_difference": strict_macro_difference,
}


def strictly(measured: Measurement, target: Target, level: float) -> Measurement:
    """`measured` with bounds at the one-sided `level` that hold at every n: exact, or by betting.

    Raises:
        ConfigError: nothing says between which limits the scores lie, or they are no mean.
    """
    if measured.interval.estimate is None or measured.exact or target.rule.metric == "error_share":
        return measured
    interval = _interval(measured, target, one_sided(level))
    width = _width(interval, target) / (_width(measured.interval, target) or 1.0)
    floor = measured.floor
    if floor is not None and measured.scores is not None:
        rate = float(measured.scores[0].mean())
        floor = strict_floor(target.rule.limit, rate, level=level, chance=measured.chance)
    return replace(measured, interval=interval, floor=floor, widening=max(width, 1.0))


def _interval(measured: Measurement, target: Target, confidence: float) -> Interval:
    if measured.tasks:
        return _MACRO[target.rule.metric](measured.tasks, confidence=confidence)
    value_range = betting_range(target)
    if value_range is None or measured.margins is None:
        raise ConfigError(
            f"{target.place}: a strict promise needs a mean of scores between declared limits, "
            f"which {target.score or target.rule.metric} is not: set `promise: asymptotic` on it"
        )
    codes = as_clusters(measured.clusters, len(measured.margins))
    if measured.scores is not None:
        return strict_retention(
            *measured.scores,
            highest=value_range[1],
            chance=measured.chance,
            clusters=codes,
            confidence=confidence,
        )
    towards = 1 if target.rule.direction == "min" else -1
    values = (target.rule.limit + towards * measured.margins).clip(*value_range)
    return strict_mean(
        _whole(values), value_range=value_range, clusters=codes, confidence=confidence
    )


def _whole(values: FloatArray) -> FloatArray:
    """Without the rounding of taking the limit off and putting it back: 0 and 1 are exact."""
    near = values.round()
    return np.where(abs(values - near) < 1e-9, near, values)


def _width(interval: Interval, target: Target) -> float:
    """From the estimate to the end that must clear the limit; 0 where there is none."""
    end = interval.low if target.rule.direction == "min" else interval.high
    return 0.0 if end is None or interval.estimate is None else abs(interval.estimate - end)
