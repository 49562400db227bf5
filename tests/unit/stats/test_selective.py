"""Risk over coverage by hand and by brute force over the orders of ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats import kept_at
from kdeval.stats.binomial import wilson
from kdeval.stats.calibration.groups import groups_of
from kdeval.stats.calibration.selective import excess_areas, risk_coverage, selective_areas


def area(confidence, right) -> float:
    groups = groups_of(np.asarray(confidence, float), np.asarray(right, bool))
    return float(selective_areas(groups, groups.right[None, :])[0])


def slow_area(right) -> float:
    wrong = 1 - np.asarray(right, float)
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def test_area_by_hand_and_best_order() -> None:
    """Confidence 0.9, 0.8, 0.7 of right, wrong, right: risks 0, 1/2, 1/3."""
    assert area([0.9, 0.8, 0.7], [1, 0, 1]) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    groups = groups_of(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    best = slow_area([1, 1, 0])
    excess = excess_areas(groups, groups.right[None, :])[0]
    assert excess == pytest.approx(slow_area([1, 0, 1]) - best)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_tied_samples_count_in_every_order(samples: list[tuple[int, bool]]) -> None:
    """The area is the mean over all orders that respect confidence."""
    orders = [
        slow_area([right for _, right in order])
        for order in permutations(samples)
        if all(a[0] >= b[0] for a, b in pairwise(order))
    ]
    found = area([level / 2 for level, _ in samples], [right for _, right in samples])
    assert found == pytest.approx(np.mean(orders))


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_constant_confidence_has_the_error_rate_everywhere(right: list[bool]) -> None:
    error = 1 - np.mean(right)
    assert area([0.7] * len(right), right) == pytest.approx(error)
    curve = risk_coverage(groups_of(np.full(len(right), 0.7), np.array(right)))
    assert curve.coverage == (1.0,)
    assert curve.risk == pytest.approx((error,))


def test_curve_ends_at_the_error_rate_and_stays_short(rng: np.random.Generator) -> None:
    confidence = rng.random(5000)
    right = rng.random(5000) < confidence
    curve = risk_coverage(groups_of(confidence, right))
    assert len(curve.coverage) <= 101
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(1 - right.mean())
    assert list(curve.coverage) == sorted(curve.coverage)


def test_kept_answers_by_hand_and_with_ties() -> None:
    confidence = [0.9] * 5 + [0.8] * 3 + [0.1] * 2
    right = [1, 1, 1, 1, 0, 1, 0, 0, 0, 0]
    half, most = kept_at(confidence, right, (0.5, 0.6))
    assert (half.coverage, half.threshold) == (0.5, 0.9)
    assert half.accuracy.estimate == 0.8
    assert half.accuracy.low == pytest.approx(wilson(4, 5).low)
    assert (most.asked, most.coverage, most.threshold) == (0.6, 0.8, 0.8)
    assert most.accuracy.estimate == pytest.approx(5 / 8)
    assert kept_at([], []) == ()
    everyone = kept_at([0.5], [1], (1.0,))
    assert everyone[0].coverage == 1.0
    with pytest.raises(ValueError, match="coverages"):
        kept_at([0.5], [1], (0.0,))
    with pytest.raises(ValueError, match="0 or 1"):
        kept_at([0.5], [2])
