"""What one rule needs, as a function of its limit and of the wished power."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kdeval.gate.policy import RuleMetric
from kdeval.stats.planning.pairs import Cells, difference_values, rate_values, retention_values
from kdeval.stats.planning.shares import samples_for_share_below

__all__ = ["CELL_VALUES", "Needs", "needs_of_errors"]

CELL_VALUES: Mapping[RuleMetric, Callable[[float], Cells]] = {
    "retention": retention_values,
    "difference": difference_values,
    "score": rate_values,
}
"""What each rule tests where scores are right or wrong, by its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """One rule in one world.

    Attributes:
        figure: what the rule judges, as it is in that world.
        needed: samples for (limit, power); None where no number would do.
        furthest: the least demanding limit worth asking about.
        least: samples at the rule's own limit and power if the models part as rarely as they can.
        floor: samples below which the rule cannot pass even without a flip.
        assumed: what the numbers rest on, in words.
    """

    figure: float
    needed: Callable[[float, float], int | None]
    furthest: float
    assumed: str
    least: Callable[[float, float], int | None] | None = None
    floor: int | None = None


def needs_of_errors(rate: float, level: float, said: str) -> Needs:
    """Of the share of failed requests, which has an exact test."""

    def needed(limit: float, power: float) -> int | None:
        if not 0 < limit < 1:
            return 1
        return samples_for_share_below(limit, rate, level=level, power=power)

    return Needs(figure=rate, needed=needed, furthest=0.999, assumed=said)
