"""Betting bounds and the e-CUSUM."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kdeval_router.bounds import (
    certify_below,
    e_cusum,
    lower_bound,
    mixture_log_capital,
    upper_bound,
    wsr_log_capital,
)

GAMBLERS = ["wsr", "mixture"]


def test_wsr_capital_follows_the_published_recursion() -> None:
    """One value at a time, as in Waudby-Smith & Ramdas with the bets of the certificate."""
    x = np.random.default_rng(4).random(50)
    delta, limit = 0.1, 0.7
    log_capital, mean_sum, variance_sum, variance = 0.0, 0.5, 0.25, 0.25
    for i, value in enumerate(x, start=1):
        bet = min(math.sqrt(2 * math.log(1 / delta) / (len(x) * variance)), 0.75 / (1 - limit))
        log_capital += math.log(1 - bet * (value - limit))
        mean_sum += value
        variance_sum += (value - mean_sum / (i + 1)) ** 2
        variance = variance_sum / (i + 1)
    assert wsr_log_capital(x, limit, delta=delta)[-1] == pytest.approx(log_capital)


@pytest.mark.parametrize("gambler", GAMBLERS)
def test_bound_is_where_certification_ends(gambler) -> None:
    x = np.random.default_rng(5).beta(2, 5, 300)
    bound = upper_bound(x, delta=0.05, gambler=gambler)
    assert x.mean() < bound < x.mean() + 0.1
    assert certify_below(x, bound + 1e-6, delta=0.05, gambler=gambler)
    assert not certify_below(x, bound - 1e-6, delta=0.05, gambler=gambler)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.sampled_from(GAMBLERS),
    st.floats(0.01, 0.4),
)
def test_bounds_enclose_the_mean_mirror_and_widen(values, gambler, delta: float) -> None:
    x = np.array(values)
    low, high = (f(x, delta=delta, gambler=gambler) for f in (lower_bound, upper_bound))
    assert 0 <= low <= x.mean() + 1e-9
    assert x.mean() - 1e-9 <= high <= 1
    assert lower_bound(1 - x, delta=delta, gambler=gambler) == pytest.approx(1 - high, abs=1e-6)
    if gambler == "mixture":
        assert upper_bound(x, delta=delta / 2, gambler=gambler) >= high - 1e-8


def test_mixture_does_not_depend_on_order_and_its_grid_is_conservative() -> None:
    x = np.random.default_rng(6).beta(3, 1, 9000)
    assert mixture_log_capital(x[:4000], 0.8) == pytest.approx(
        mixture_log_capital(x[3999::-1], 0.8)
    )
    parts = np.array_split(x, 3)
    stakes = np.geomspace(0.01, 0.98, 12)
    exact = np.logaddexp.reduce(
        [sum(np.log1p(-c * (p - 0.8) / 0.2).sum() for p in parts) for c in stakes]
    ) - math.log(12)
    assert exact - 0.01 < mixture_log_capital(x, 0.8) <= exact + 1e-9


def test_no_values_certify_nothing_and_edges_are_honest() -> None:
    assert upper_bound([], delta=0.1) == 1.0
    assert lower_bound([], delta=0.1) == 0.0
    assert not certify_below([], 0.5, delta=0.1)
    assert not certify_below([0.0] * 50, 0.0, delta=0.1)
    assert not certify_below([1.0] * 50, 1.0, delta=0.1)
    assert upper_bound([1.0] * 50, delta=0.1) == 1.0


def test_values_outside_the_unit_interval_are_refused() -> None:
    for bad in ([1.2], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            upper_bound(bad, delta=0.1)
    with pytest.raises(ValueError, match="delta"):
        upper_bound([0.5], delta=0.0)


def test_e_cusum_multiplies_from_at_least_one() -> None:
    up = e_cusum(1.0, True, null_rate=0.05, bet_rate=0.3)
    assert up == pytest.approx(6)
    down = e_cusum(up, False, null_rate=0.05, bet_rate=0.3)
    assert down == pytest.approx(6 * 0.7 / 0.95)
    assert e_cusum(0.01, True, null_rate=0.05, bet_rate=0.3) == pytest.approx(6)
    with pytest.raises(ValueError, match="null_rate"):
        e_cusum(1.0, True, null_rate=0.3, bet_rate=0.05)
