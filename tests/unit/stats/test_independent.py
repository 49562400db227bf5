"""The difference of two independent estimates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.independent import difference_of_independent
from kdeval.stats.means.paired import mean


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_two_rates_are_newcombes_interval(n: int, m: int, data) -> None:
    """With Wilson intervals it is Newcombe's hybrid score interval, as in statsmodels."""
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    first = mean(np.repeat([1.0, 0.0], [a, n - a]))
    second = mean(np.repeat([1.0, 0.0], [b, m - b]))
    found = difference_of_independent(first, second)
    low, high = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)
    assert found.estimate == pytest.approx(a / n - b / m)
    assert found.n == n + m


def _interval(estimate, low, high, clusters=None, reason=None) -> Interval:
    return Interval(
        estimate=estimate, low=low, high=high, confidence=0.95, method="t", n=10,
        clusters=clusters, reason=reason,
    )  # fmt: skip


def test_swapping_turns_the_interval_round() -> None:
    one, other = _interval(0.5, 0.2, 0.6), _interval(0.1, 0.0, 0.4)
    there = difference_of_independent(one, other)
    back = difference_of_independent(other, one)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_what_is_unknown_stays_unknown() -> None:
    """Without an estimate there is no difference; without an end, none on that side."""
    nothing = unknown("no samples", confidence=0.95, method="mean", n=0)
    found = difference_of_independent(_interval(0.5, 0.2, 0.6), nothing)
    assert (found.estimate, found.reason) == (None, "no samples")
    half = difference_of_independent(_interval(0.5, None, 0.6), _interval(0.1, 0.0, 0.4))
    assert half.low is None
    assert half.high is not None
    assert half.reason


def test_units_are_added_up() -> None:
    assert difference_of_independent(
        _interval(0.5, 0.2, 0.6, clusters=4), _interval(0.1, 0.0, 0.4)
    ).clusters == 14  # fmt: skip


def test_confidences_must_agree() -> None:
    other = Interval(
        estimate=0.1, low=0.0, high=0.2, confidence=0.9, method="t", n=3, clusters=None
    )
    with pytest.raises(ValueError, match="cannot be combined"):
        difference_of_independent(_interval(0.5, 0.2, 0.6), other)
