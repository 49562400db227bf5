"""How many more samples an inconclusive rule needs: the number of `kdeval plan`, run as pilot."""

from __future__ import annotations

from kdeval.gate.measurement import Measurement
from kdeval.gate.planning.pilot import needs_in_pilot
from kdeval.gate.resolve import Target
from kdeval.stats.planning.pairs import detectable_limit

__all__ = ["POWER", "samples_missing", "shown_by_as_many"]

POWER = 0.8
"""Probability with which the rule passes on as many samples as are said to be needed."""


def samples_missing(
    target: Target, measured: Measurement, *, level: float, min_n: int
) -> int | None:
    """About how many more samples would make the rule pass, were those so far typical.

    Planned to pass with 80 % probability; never fewer than the minimum n and the floor ask for.
    None where no number would: the estimate is unknown or not on the right side of the limit, or
    nothing bounds the figure.
    """
    estimate, limit = measured.interval.estimate, target.rule.limit
    if estimate is None:
        return None
    distance = estimate - limit if target.rule.direction == "min" else limit - estimate
    if distance <= 0:
        return None
    n, rule = measured.interval.n, target.rule
    needs = needs_in_pilot(rule.metric, rule.direction, limit, level, measured)
    needed = None if isinstance(needs, str) else needs.needed(limit, POWER)
    if needed is None and n >= min_n:
        return None
    if _clears(target, measured):
        needed = 0  # only the minimum n is missing
    else:
        needed = max(needed or 0, _least_by_reach(measured, distance, rule.direction))
    return max(needed, measured.floor or 0, min_n, n + 1) - n


def shown_by_as_many(target: Target, measured: Measurement, *, level: float) -> float | None:
    """The tightest limit that as many such samples again pass with 80 % probability, or None.

    The mirror of the samples missing: there the limit is given and n is asked for. None also where
    it would be tighter than the bound that these samples reached.
    """
    interval, rule = measured.interval, target.rule
    if interval.estimate is None or measured.exact or interval.n < 2:
        return None
    needs = needs_in_pilot(rule.metric, rule.direction, rule.limit, level, measured)
    if isinstance(needs, str):
        return None
    found = detectable_limit(
        lambda limit: needs.needed(limit, POWER),
        interval.n,
        figure=needs.figure,
        furthest=needs.furthest,
    )
    bound = interval.low if rule.direction == "min" else interval.high
    if found is None or bound is None:
        return found
    tighter = found > bound if rule.direction == "min" else found < bound
    return None if tighter else found


def _least_by_reach(measured: Measurement, distance: float, direction: str) -> int:
    """Samples below which the present bound cannot clear: no bound closes in faster than 1 / n."""
    interval = measured.interval
    bound = interval.low if direction == "min" else interval.high
    if bound is None or interval.estimate is None:
        return 0
    return int(interval.n * abs(interval.estimate - bound) / distance)


def _clears(target: Target, measured: Measurement) -> bool:
    """Whether the bound lies beyond the limit already."""
    interval, limit = measured.interval, target.rule.limit
    if target.rule.direction == "min":
        return interval.low is not None and interval.low >= limit
    return interval.high is not None and interval.high <= limit
