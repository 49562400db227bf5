"""Retention of what is above guessing: the stricter ratio, since guessing is kept for free."""

from __future__ import annotations

from kdeval.compare.selection import Selection
from kdeval.records import Metric
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.paired import mean, retention

__all__ = ["above_chance", "no_better_than_guessing"]


def no_better_than_guessing(chance: float) -> str:
    """Why a ratio to such a teacher is refused; `chance` is what guessing scores."""
    return (
        f"the teacher is not clearly better than guessing ({chance:.3g}), so a ratio to it says "
        "nothing"
    )


def above_chance(
    chosen: Selection, metric: Metric, confidence: float, chance: float | None
) -> Interval | None:
    """(student - chance) / (teacher - chance); None where no score of guessing is known, or 0.

    Refused, as any ratio, where the teacher is not clearly better than guessing.
    """
    if not chance or not metric.higher_is_better or metric.aggregation != "mean" or not chosen.n:
        return None
    limits = (metric.low, metric.high)
    lowest = mean(
        chosen.teacher, clusters=chosen.clusters, confidence=confidence, limits=limits
    ).low
    if lowest is None or lowest <= chance:
        return unknown(
            f"the teacher is not clearly better than guessing ({chance:.3g})",
            confidence=confidence,
            method="paired retention",
            n=chosen.n,
        )
    return retention(
        chosen.teacher,
        chosen.student,
        clusters=chosen.clusters,
        confidence=confidence,
        chance=chance,
        limits=limits,
    )
