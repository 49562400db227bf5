"""Clopper-Pearson and Wilson against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdeval.stats import clopper_pearson, wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_two_sided_limits_equal_scipy(count: tuple[int, int], confidence: float) -> None:
    test = stats.binomtest(*count)
    exact, score = (
        clopper_pearson(*count, confidence=confidence),
        wilson(*count, confidence=confidence),
    )
    oracle = test.proportion_ci(confidence, method="exact")
    assert (exact.low, exact.high) == pytest.approx(tuple(oracle), abs=1e-9)
    oracle = test.proportion_ci(confidence, method="wilson")
    assert (score.low, score.high) == pytest.approx(tuple(oracle), abs=1e-9)


@given(counts)
def test_one_sided_bounds_spend_the_whole_error_on_their_end(count: tuple[int, int]) -> None:
    upper = clopper_pearson(*count, confidence=0.9, side="upper")
    lower = clopper_pearson(*count, confidence=0.9, side="lower")
    both = clopper_pearson(*count, confidence=0.8)
    assert (lower.low, upper.high) == pytest.approx((both.low, both.high))
    assert upper.low == 0.0
    assert lower.high == 1.0


def test_zero_failures_reproduce_the_rule_of_three() -> None:
    """At n = 114 zero losses just certify 2 % at delta = .1 (ln .1 / ln .98)."""
    below = clopper_pearson(0, 113, confidence=0.9, side="upper").high
    at = clopper_pearson(0, 114, confidence=0.9, side="upper").high
    assert below is not None
    assert at is not None
    assert at <= 0.02 < below


@pytest.mark.parametrize("method", [clopper_pearson, wilson])
def test_no_samples_is_unknown_and_impossible_counts_are_refused(method) -> None:
    empty = method(0, 0)
    assert (empty.estimate, empty.low, empty.high) == (None, None, None)
    assert empty.reason == "no samples"
    with pytest.raises(ValueError, match="got 3 of 2"):
        method(3, 2)
