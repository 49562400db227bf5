"""Figures as the page sets them: the estimate, its interval set back, and what to sort by."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval.gate.quantity import Unit
from kdeval.report.numbers import UNKNOWN, count, interval_text, number, ratio_text
from kdeval.stats.interval import Interval

__all__ = ["Figure", "amount", "measured", "ratio", "tally"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a table.

    Attributes:
        text: the estimate, or a dash.
        ends: the interval as "[95.8, 98.2]", empty where there is none.
        value: what a column is sorted by; None: unknown, sorted last.
        reason: why it is unknown, empty where it is known.
    """

    text: str
    ends: str = ""
    value: float | None = None
    reason: str = ""


def measured(interval: Interval | None, unit: Unit, digits: int | None = None) -> Figure:
    """An estimate with its interval."""
    return _split(interval, interval_text(interval, unit, digits))


def ratio(interval: Interval | None) -> Figure:
    """A ratio with its interval."""
    return _split(interval, ratio_text(interval))


def amount(value: float | None, unit: Unit, digits: int | None = None) -> Figure:
    """A figure without an interval."""
    return Figure(text=number(value, unit, digits), value=value)


def tally(value: int | None) -> Figure:
    """A count."""
    return Figure(text=count(value), value=value)


def _split(interval: Interval | None, written: str) -> Figure:
    estimate, bracket, ends = written.partition(" [")
    if interval is None:
        return Figure(text=UNKNOWN)
    return Figure(
        text=estimate,
        ends=bracket.strip() + ends,
        value=interval.estimate,
        reason=interval.reason or "",
    )
