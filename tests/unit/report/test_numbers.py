from __future__ import annotations

import pytest

from kdeval.report.numbers import (
    bytes_text,
    count,
    interval_text,
    p_value_text,
    seconds_text,
    usd_text,
)
from kdeval.stats.interval import Interval


def interval(estimate: float | None, low: float | None, high: float | None) -> Interval:
    return Interval(
        estimate=estimate, low=low, high=high, confidence=0.95, method="m", n=9, clusters=None
    )


def test_unknown_is_a_dash() -> None:
    """Never 0, never NaN."""
    assert {
        count(None),
        seconds_text(None),
        usd_text(None),
        bytes_text(None),
        interval_text(None, "percent"),
        interval_text(interval(None, None, None), "percent"),
    } == {"–"}


def test_an_interval_shows_what_is_known_of_it() -> None:
    """Both ends, one, or none."""
    assert interval_text(interval(0.971, 0.958, 0.982), "percent") == "97.1 % [95.8, 98.2]"
    assert interval_text(interval(0.971, 0.958, None), "percent") == "97.1 % [95.8, –]"
    assert interval_text(interval(0.971, None, None), "percent") == "97.1 % [unknown]"
    assert interval_text(interval(0.1, 0.1, 0.1), "number") == "0.10"
    assert interval_text(interval(-0.02, -0.03, 0.01), "points") == "-2.0 points [-3.0, +1.0]"
    assert interval_text(interval(0.0, 0.0, 409.7), "percent") == "0.0 % [0.0, over 1,000]"
    assert interval_text(interval(0.5, 0.0, 10.0), "percent") == "50.0 % [0.0, 1000.0]"
    assert interval_text(interval(11.0, 9.0, 12.0), "percent") == "1100.0 % [900.0, 1200.0]"
    assert interval_text(interval(1.0, 0.5, 409.7), "number") == "1.00 [0.50, 409.70]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00011, "110 µs"), (0.0083, "8.30 ms"), (1.2, "1.20 s"), (75.0, "75.0 s"), (0.0, "0 µs")],
)
def test_durations_have_three_figures(seconds: float, text: str) -> None:
    """In the unit that fits."""
    assert seconds_text(seconds) == text


def test_sizes_money_and_p_values() -> None:
    """Decimal units, dollars a thousand requests, and no p-value of zero."""
    assert (bytes_text(22_700_000), bytes_text(12)) == ("22.7 MB", "12.0 B")
    assert (usd_text(0.002), usd_text(0.0), usd_text(0.0000001)) == ("$2.00", "$0", "$0.000100")
    assert (p_value_text(0.0), p_value_text(0.0123)) == ("< 0.001", "0.012")
    assert count(14042) == "14,042"
    assert (usd_text(0.0001), usd_text(0.0015)) == ("$0.100", "$1.50")
    assert usd_text(1e300) == "$1e+303"
