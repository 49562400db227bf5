"""Amounts per unit over samples of different size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats.means.paired import mean, retention
from kdeval.stats.means.per_unit import per_unit


def test_symmetric_samples_of_one_size_have_the_interval_of_a_mean():
    half = np.random.default_rng(0).normal(size=20)
    x = np.concatenate([5 + half, 5 - half])
    found, plain = per_unit(x, np.ones(40)), mean(x)
    assert found.estimate == pytest.approx(5)
    assert found.low == pytest.approx(plain.low, abs=1e-6)
    assert found.high == pytest.approx(plain.high, abs=1e-6)


def test_of_many_samples_it_is_fiellers_ratio_of_means():
    rng = np.random.default_rng(1)
    units = rng.integers(5, 90, size=20_000).astype(float)
    amounts = units * rng.exponential(size=20_000)
    found, oracle = per_unit(amounts, units), retention(units, amounts)
    assert found.estimate == pytest.approx(oracle.estimate)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), rel=1e-3)


def test_a_long_tail_of_amounts_moves_the_interval_upwards():
    """What was not drawn yet lies in the tail."""
    x = np.random.default_rng(5).lognormal(0, 1.2, size=40)
    found, plain = per_unit(x, np.ones(40), low=0), mean(x)
    assert found.low > plain.low
    assert found.high > plain.high


def test_tokens_of_a_text_do_not_count_as_independent():
    """A few texts of many tokens say as much as a few texts, not as many tokens."""
    rng = np.random.default_rng(2)
    means = rng.exponential(size=12)
    tokens = rng.exponential(size=(12, 400)) * means[:, None]
    found = per_unit(tokens.sum(axis=1), np.full(12, 400))
    naive = mean(tokens.ravel())
    assert found.high - found.low > 5 * (naive.high - naive.low)
    assert found.n == 12


def test_clusters_of_texts_widen_it():
    rng = np.random.default_rng(3)
    amounts = np.repeat(rng.exponential(size=15), 6)
    codes = np.repeat(np.arange(15), 6)
    grouped = per_unit(amounts, np.ones(90), clusters=codes)
    alone = per_unit(amounts, np.ones(90))
    assert grouped.clusters == 15
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("amounts", "units", "said"),
    [([], [], "no samples"), ([1.0], [2.0], "single sample"), ([2.0, 4.0], [1.0, 2.0], "differs")],
)
def test_what_bounds_nothing_has_a_reason(amounts, units, said):
    found = per_unit(amounts, units)
    assert found.low is None
    assert said in found.reason


def test_ends_stay_where_the_ratio_can_be():
    found = per_unit([0.0, 0.0, 0.0, 5.0], [5.0, 5.0, 5.0, 5.0], low=0.0, high=1.0)
    assert (found.low, found.high) == (0.0, 1.0)


@settings(max_examples=50)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_it_scales_with_the_unit_and_ignores_order(seed, factor):
    rng = np.random.default_rng(seed)
    amounts, units = rng.normal(size=20), rng.integers(1, 9, size=20).astype(float)
    found, other = per_unit(amounts, units), per_unit(amounts[::-1], units[::-1] * factor)
    if found.low is not None and other.low is not None:
        assert other.low * factor == pytest.approx(found.low, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("amounts", "units", "said"),
    [([1.0], [1.0, 2.0], "same samples"), ([1.0], [0.0], "without a unit"),
     ([float("inf")], [1.0], "infinite")],
)  # fmt: skip
def test_bad_input_is_refused(amounts, units, said):
    with pytest.raises(ValueError, match=said):
        per_unit(amounts, units)
