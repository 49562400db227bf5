"""How many more samples an inconclusive rule needs."""

from __future__ import annotations

import math

from scipy import stats

from kdeval.gate.measurement import Measurement
from kdeval.gate.resolve import Target
from kdeval.stats.interval import Interval
from kdeval.stats.planning.power import samples_to_bound_mean, samples_to_pass

__all__ = ["samples_missing", "samples_needed"]

_POWER = 0.8
_MARGIN = 1.05


def samples_missing(
    target: Target, measured: Measurement, *, level: float, min_n: int
) -> int | None:
    """About how many more samples would make the rule pass, were those so far typical.

    Planned to pass with 80 % probability; never fewer than the minimum n and the floor ask for.
    None where no number would: the estimate is unknown or not on the right side of the limit.
    """
    estimate, limit = measured.interval.estimate, target.rule.limit
    if estimate is None:
        return None
    distance = estimate - limit if target.rule.direction == "min" else limit - estimate
    if distance <= 0:
        return None
    n = measured.interval.n
    needed = samples_needed(target, measured, limit=limit, level=level)
    if needed is None and n >= min_n:
        return None
    if _clears(target, measured):
        needed = 0  # only the minimum n is missing
    return max(needed or 0, measured.floor or 0, min_n, n + 1) - n


def samples_needed(
    target: Target, measured: Measurement, *, limit: float, level: float
) -> int | None:
    """Samples in all with which such a student would pass `limit`, with 80 % probability.

    None where no number would, or nothing tells.
    """
    if measured.scores is not None:
        teacher, student = measured.scores
        needed = samples_to_pass(
            teacher,
            student,
            threshold=limit,
            level=level,
            power=_POWER,
            clusters=measured.clusters,
            chance=measured.chance,
        )
    elif measured.margins is None:
        return _by_scaling(target, measured, limit, level)
    else:
        eased = target.rule.limit - limit
        needed = samples_to_bound_mean(
            measured.margins + (eased if target.rule.direction == "min" else -eased),
            limit=0.0,
            level=level,
            power=_POWER,
            clusters=measured.clusters,
        )
    return None if needed is None else math.ceil(needed * measured.widening**2)


def _clears(target: Target, measured: Measurement) -> bool:
    """Whether the bound lies beyond the limit already."""
    interval, limit = measured.interval, target.rule.limit
    if target.rule.direction == "min":
        return interval.low is not None and interval.low >= limit
    return interval.high is not None and interval.high <= limit


def _by_scaling(target: Target, measured: Measurement, limit: float, level: float) -> int | None:
    """For a ratio that is no mean: its interval's width on the log scale falls as 1 / sqrt(n)."""
    interval = measured.interval
    if target.score is not None or target.rule.macro:
        return _by_width(target, interval, limit, level)
    if interval.estimate is None or interval.high is None or interval.estimate <= 0:
        return None
    if limit <= interval.estimate:
        return None
    width = math.log(interval.high / interval.estimate)
    distance = math.log(limit / interval.estimate)
    return _scaled(interval.n, width / distance, level)


def _by_width(target: Target, interval: Interval, limit: float, level: float) -> int | None:
    """For a score that is no mean: the way to its bound falls as 1 / sqrt(n)."""
    bound = interval.low if target.rule.direction == "min" else interval.high
    if interval.estimate is None or bound is None or interval.estimate == limit:
        return None
    return _scaled(interval.n, (interval.estimate - bound) / (interval.estimate - limit), level)


def _scaled(n: int, too_wide: float, level: float) -> int:
    """Samples that make `too_wide` so much less than 1 that the rule passes with some power."""
    critical = float(stats.norm.ppf(level))
    power = (critical + float(stats.norm.ppf(_POWER))) / critical
    return math.ceil(_MARGIN * n * (too_wide * power) ** 2)
