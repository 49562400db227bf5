"""Strict intervals: what they are, and what they refuse."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdeval.stats import (
    TaskScores,
    retention,
    strict_difference,
    strict_macro_difference,
    strict_macro_retention,
    strict_mean,
    strict_retention,
    zero_flip_floor,
)
from kdeval.stats.strict.betting import _SEED, FIXED, PREDICTABLE, Units, _predictable, limits
from kdeval.stats.strict.floor import strict_floor

counts4 = st.tuples(st.integers(1, 80), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20))


def pair(counts, seed: int = 0):
    order = np.random.default_rng(seed).permutation(sum(counts))
    return np.repeat([1.0, 0, 1, 0], counts)[order], np.repeat([1.0, 1, 0, 0], counts)[order]


def test_one_rate_is_exact() -> None:
    x = np.repeat([1.0, 0.0], [37, 3])
    found = stats.binomtest(37, 40).proportion_ci(0.9, method="exact")
    ours = strict_mean(x, confidence=0.9)
    assert (ours.low, ours.high) == pytest.approx((found.low, found.high))
    assert ours.method == "Clopper-Pearson"


def test_zeros_and_ones_in_a_wider_range_are_no_rate() -> None:
    """Differences that happen to be 0 or 1 could have been -1."""
    x = np.repeat([1.0, 0.0], [37, 3])
    assert strict_mean(x, value_range=(-1.0, 1.0)).method == PREDICTABLE


@given(counts4)
@settings(max_examples=60, deadline=None)
def test_ends_lie_around_the_estimate_and_are_finite(counts) -> None:
    t, s = pair(counts)
    for found in (strict_retention(t, s), strict_difference(t, s)):
        assert found.low is None or found.low <= found.estimate
        assert found.high is None or found.high >= found.estimate
        assert all(x is None or math.isfinite(x) for x in (found.low, found.high))


@given(counts4, st.floats(0.55, 0.93))
@settings(max_examples=40, deadline=None)
def test_more_confidence_is_wider(counts, confidence) -> None:
    t, s = pair(counts)
    narrow, wide = (strict_difference(t, s, confidence=c) for c in (confidence, confidence + 0.05))
    assert wide.low <= narrow.low + 1e-6
    assert wide.high >= narrow.high - 1e-6


def test_the_gambler_by_hand() -> None:
    """The lower end is the theta at which the capital, bet by bet, is first worth 1 / error."""
    rng = np.random.default_rng(5)
    t, s = rng.uniform(0.2, 1, 50), rng.uniform(0.2, 1, 50)
    found = strict_retention(t, s, confidence=0.9)
    order = np.random.default_rng(_SEED).permutation(50)

    def best(theta: float) -> float:
        capital, most, spread, sums = 1.0, 1.0, 0.25, [1.0, 1.0]
        for i, row in enumerate(order):
            stake = math.sqrt(2 * math.log(20) / (50 * spread / (i + 1)))
            stake = min(stake, 0.95 / theta)
            capital *= 1 + stake * (s[row] - theta * t[row])
            most = max(most, capital)
            spread += (s[row] - sums[0] / sums[1] * t[row]) ** 2
            sums = [sums[0] + s[row], sums[1] + t[row]]
        return most

    assert best(found.low) == pytest.approx(20, rel=1e-3)


@given(counts4)
@settings(max_examples=40, deadline=None)
def test_a_bound_refutes_every_theta_below_it(counts) -> None:
    """The capital falls in theta, so the test needs to be inverted at one point only."""
    t, s = pair(counts)
    units = Units.of(s, t, None, (0.0, 1.0), (0.0, 1.0), 1.0)
    log_capital = _predictable(units, 0.05)
    thetas = np.linspace(0.05, 2, 60)
    up = [log_capital(theta, 1.0) for theta in thetas]
    down = [log_capital(theta, -1.0) for theta in thetas]
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(up))
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(down))


def test_clusters_and_macro_bet_fixed_stakes() -> None:
    t, s = pair((60, 4, 6, 10))
    codes = np.arange(80) // 2
    assert strict_retention(t, s, clusters=codes).method == FIXED
    assert strict_retention(t, s, clusters=codes).clusters == 40
    tasks = [TaskScores(name="a", teacher=t, student=s), TaskScores(name="b", teacher=t, student=s)]
    assert strict_macro_retention(tasks).estimate == pytest.approx(s.sum() / t.sum())
    assert strict_macro_difference(tasks).estimate == pytest.approx((s - t).mean())


def test_fixed_stakes_do_not_depend_on_the_order() -> None:
    t, s = pair((60, 4, 6, 10))
    codes = np.arange(80) // 2
    order = np.random.default_rng(1).permutation(80)
    here = strict_retention(t, s, clusters=codes)
    there = strict_retention(t[order], s[order], clusters=codes[order])
    assert (here.low, here.high) == pytest.approx((there.low, there.high))


def test_many_real_units_are_put_on_a_grid_that_only_widens() -> None:
    rng = np.random.default_rng(6)
    a = rng.uniform(0, 1, 6000)
    fine = Units.of(a[:4000], np.ones(4000), None, (0.0, 1.0), (1.0, 1.0), 0.5, alike=False)
    low, high = limits(fine, error=0.025, floor=0.0, ceiling=1.0)
    whole = Units.of(a, np.ones(6000), None, (0.0, 1.0), (1.0, 1.0), 0.5, alike=False)
    least, most = limits(whole, error=0.025, floor=0.0, ceiling=1.0)
    assert low < 0.5 < high
    assert least < a.mean() < most
    assert most - least < high - low


def test_above_chance_is_lower() -> None:
    t, s = pair((800, 20, 60, 120))
    plain, above = strict_retention(t, s), strict_retention(t, s, chance=0.25)
    assert above.estimate == pytest.approx(retention(t, s, chance=0.25).estimate)
    assert above.low < plain.low
    assert strict_retention(t, s, chance=0.95).reason == (
        "the teacher's mean score is not above chance"
    )
    few_t, few_s = pair((6, 0, 1, 5))
    assert strict_retention(few_t, few_s, chance=0.5).low is None


def test_a_highest_score_rescales() -> None:
    t, s = pair((60, 4, 6, 10))
    assert strict_retention(5 * t, 5 * s, highest=5.0).low == pytest.approx(
        strict_retention(t, s).low
    )


@pytest.mark.parametrize("call", [strict_retention, strict_difference])
def test_scores_outside_the_range_are_refused(call) -> None:
    with pytest.raises(ValueError, match="outside"):
        call([0.5, 1.5], [0.5, 0.5])
    assert call([], []).reason == "no samples"
    with pytest.raises(ValueError, match="must be paired"):
        call([1.0], [1.0, 0.0])


@pytest.mark.parametrize(("threshold", "near"), [(0.9, 34), (0.95, 69), (0.98, 175)])
def test_the_floor(threshold: float, near: int) -> None:
    """Above the asymptotic floor; one sample less does not pass."""
    floor = strict_floor(threshold, 0.9, level=0.95)
    assert abs(floor - near) <= 0.1 * near
    assert floor > zero_flip_floor(threshold, 0.9, level=0.95)
    assert strict_floor(1.0, 0.9, level=0.95) is None
    assert strict_floor(0.9, 0.0, level=0.95) is None
