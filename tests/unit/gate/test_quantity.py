from __future__ import annotations

import pytest

from kdeval.gate.quantity import (
    Unit,
    confidence_text,
    enough_digits,
    is_share,
    number_text,
    unit_of,
)
from kdeval.records import Metric


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.971, "percent", "97.1 %"),
        (-0.021, "points", "-2.1 points"),
        (0.0, "points", "+0.0 points"),
        (-0.0001, "points", "+0.0 points"),
        (0.354, "number", "0.35"),
        (0.0123, "signed", "+0.012"),
    ],
)
def test_figures_have_their_unit(value: float, unit: Unit, text: str) -> None:
    """Percent, points and plain numbers; a zero never has a minus."""
    assert number_text(value, unit) == text


def test_a_bound_never_looks_like_the_limit_it_misses() -> None:
    """Decimals are added until the two differ, and until the limit is written exactly."""
    assert enough_digits(0.95, (0.94996,), "percent") == 3
    assert enough_digits(0.95, (0.95, None, 0.99), "percent") == 1
    assert enough_digits(0.9525, (), "percent") == 2
    assert enough_digits(0.01, (0.0, 0.0002), "percent") == 2


def test_scores_in_their_own_unit_are_no_percentages() -> None:
    """A rating from 1 to 10 stays a rating."""
    assert is_share([], Metric(name="exact"))
    assert not is_share([], Metric(name="rating", low=1.0, high=10.0))
    assert not is_share([], None)
    assert (unit_of("score", share=True), unit_of("score", share=False)) == ("percent", "number")
    assert unit_of("difference", share=True) == "points"
    assert unit_of("baseline_difference", share=False) == "signed"
    assert unit_of("retention", share=False) == "percent"


def test_confidence_has_no_needless_zeros() -> None:
    """95 %, 97.5 %."""
    assert (confidence_text(0.95), confidence_text(0.975)) == ("95 %", "97.5 %")


def test_confidence_is_never_certainty() -> None:
    """As many nines as were asked for."""
    assert confidence_text(0.999999999) == "99.9999999 %"
    assert confidence_text(0.99999) == "99.999 %"
    assert confidence_text(1 - 1e-12) != "100 %"
