"""Quantiles and their paired ratio."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdeval.stats import paired_median_ratio, paired_quantile_ratio, quantile


@given(st.integers(1, 400), st.sampled_from([0.1, 0.5, 0.9, 0.99]), st.sampled_from([0.8, 0.95]))
def test_ends_are_the_tightest_order_statistics(n: int, q: float, confidence: float) -> None:
    """Each end errs with probability at most half, and the next statistic inwards would not."""
    interval = quantile(np.arange(n), q, confidence=confidence)
    tail = (1 - confidence) / 2 + 1e-12
    if interval.low is not None:
        low = int(interval.low)
        assert stats.binom.cdf(low, n, q) <= tail < stats.binom.cdf(low + 1, n, q)
    else:
        assert stats.binom.cdf(0, n, q) > tail - 2e-12
    if interval.high is not None:
        high = int(interval.high)
        assert stats.binom.sf(high, n, q) <= tail < stats.binom.sf(high - 1, n, q)
    else:
        assert stats.binom.sf(n - 1, n, q) > tail - 2e-12
    if interval.low is None or interval.high is None:
        assert interval.reason


def test_estimate_is_the_ordinary_quantile(rng: np.random.Generator) -> None:
    x = rng.lognormal(size=500)
    interval = quantile(x, 0.9)
    assert interval.estimate == np.quantile(x, 0.9)
    assert interval.low < interval.estimate < interval.high
    assert quantile([], 0.5).reason == "no samples"


def test_ratio_of_proportional_pairs_is_exact(rng: np.random.Generator) -> None:
    teacher = rng.lognormal(size=60)
    interval = paired_median_ratio(0.25 * teacher, teacher, rng=rng)
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((0.25,) * 3)


def test_pairing_removes_the_drift_both_share(rng: np.random.Generator) -> None:
    drift = np.exp(rng.normal(0, 1.0, 200))
    teacher, student = drift * rng.uniform(0.98, 1.02, (2, 200))
    paired = paired_median_ratio(student, teacher, rng=rng)
    apart = paired_median_ratio(rng.permutation(student), teacher, rng=rng)
    assert paired.high - paired.low < 0.3 * (apart.high - apart.low)


def test_large_n_shrinks_like_the_root_of_n(rng: np.random.Generator) -> None:
    teacher, student = rng.lognormal(size=(2, 90_000))
    large = paired_median_ratio(student, teacher, rng=rng, resamples=400)
    small = paired_median_ratio(student[:10_000], teacher[:10_000], rng=rng, resamples=400)
    ratio = (small.high - small.low) / (large.high - large.low)
    assert ratio == pytest.approx(3, rel=0.25)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_ratio_encloses_its_estimate_or_says_why_not(values, q: float) -> None:
    student, teacher = np.array(values).T
    interval = paired_quantile_ratio(
        student, teacher, q, rng=np.random.default_rng(0), resamples=200
    )
    if interval.low is None:
        assert "too few" in (interval.reason or "")
    else:
        assert interval.low <= interval.estimate <= interval.high


def test_same_seed_same_interval_and_bad_input(rng: np.random.Generator) -> None:
    student, teacher = rng.lognormal(size=(2, 50))
    one, other = (
        paired_median_ratio(student, teacher, rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert one == other
    with pytest.raises(ValueError, match="positive"):
        paired_median_ratio([1.0, 0.0], [1.0, 1.0], rng=rng)
    with pytest.raises(ValueError, match="paired"):
        paired_median_ratio([1.0], [1.0, 1.0], rng=rng)
    with pytest.raises(ValueError, match="q must lie"):
        quantile([1.0], 1.0)
