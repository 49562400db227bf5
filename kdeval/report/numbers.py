"""How figures are written, the same in every rendering; what is unknown is a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kdeval.compare.comparison import Cell
from kdeval.gate.quantity import (
    Unit,
    confidence_text,
    counted,
    is_share,
    number_text,
    unit_of,
)
from kdeval.records import Metric
from kdeval.stats.interval import Interval

__all__ = [
    "UNKNOWN",
    "bytes_text",
    "confidence_text",
    "count",
    "counted",
    "difference_unit",
    "interval_text",
    "number",
    "p_value_text",
    "ratio_text",
    "score_unit",
    "seconds_text",
    "usd_text",
]

UNKNOWN = "–"


def count(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return UNKNOWN if value is None else f"{value:,}"


def number(value: float | None, unit: Unit, digits: int | None = None) -> str:
    """A figure in its unit."""
    return UNKNOWN if value is None else number_text(value, unit, digits)


_FAR = 10.0
"""As a share: 1,000 %."""


def interval_text(interval: Interval | None, unit: Unit, digits: int | None = None) -> str:
    """An estimate with its interval: "97.1 % [95.8, 98.2]"; an end that is unknown is a dash.

    The upper end of a percentage is "over 1,000" where it lies beyond and the estimate does not: it
    is a quotient whose denominator may be nearly nothing, so that no digit of it tells anything.
    """
    if interval is None or interval.estimate is None:
        return UNKNOWN
    estimate = number_text(interval.estimate, unit, digits)
    if interval.low is None and interval.high is None:
        return f"{estimate} [unknown]"
    if interval.low == interval.high:
        return estimate  # a fixed price: nothing was sampled
    low, high = (
        number(end, unit, digits).removesuffix(" %").removesuffix(" points")
        for end in (interval.low, interval.high)
    )
    far = unit == "percent" and (interval.high or 0.0) > _FAR >= interval.estimate
    return f"{estimate} [{low}, {'over 1,000' if far else high}]"


def ratio_text(interval: Interval | None) -> str:
    """A ratio with its interval, small ones with the decimals that tell them apart."""
    if interval is None or interval.estimate is None:
        return UNKNOWN
    digits = 2
    while digits < 5 and 0 < interval.estimate * 10**digits < 10:
        digits += 1
    return interval_text(interval, "number", digits)


def score_unit(cells: Sequence[Cell], metric: Metric | None) -> Unit:
    """Unit of the mean scores of these cells, all by `metric`."""
    return unit_of("score", share=is_share(cells, metric))


def difference_unit(cells: Sequence[Cell], metric: Metric | None) -> Unit:
    """Unit of the differences of those means."""
    return unit_of("difference", share=is_share(cells, metric))


def p_value_text(value: float | None) -> str:
    """A p-value, never written as zero."""
    if value is None:
        return UNKNOWN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def seconds_text(value: float | None) -> str:
    """A duration with three figures that count: "8.31 ms", "1.20 s"."""
    if value is None:
        return UNKNOWN
    for factor, name in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{_three_figures(value * factor)} {name}"
    return f"{_three_figures(value * 1e6)} µs"


def usd_text(value: float | None) -> str:
    """US dollars a thousand requests, from dollars a request."""
    if value is None:
        return UNKNOWN
    return f"${_three_figures(value * 1000)}"


def bytes_text(value: int | None) -> str:
    """A size in decimal units: "22.7 MB"."""
    if value is None:
        return UNKNOWN
    size = float(value)
    for name in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{_three_figures(size)} {name}"
        size /= 1000
    return f"{_three_figures(size)} TB"


def _three_figures(value: float) -> str:
    if value == 0:
        return "0"
    if value < 1:
        return f"{value:.{2 - math.floor(math.log10(value))}f}"
    if value >= 1e12:
        return f"{value:.3g}"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"
