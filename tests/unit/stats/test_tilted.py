"""The tilted score test: the known one on right-or-wrong scores, honest on the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from kdeval.stats.means.paired import paired_difference, retention
from kdeval.stats.means.tilted import mean_limits, ratio_limits, tilted_z
from kdeval.stats.score_test import score_z


def pairs(both, gained, lost, neither):
    counts = (both, gained, lost, neither)
    return np.repeat([1.0, 0, 1, 0], counts), np.repeat([1.0, 1, 0, 0], counts)


@pytest.mark.parametrize("counts", [(80, 3, 5, 12), (90, 0, 0, 10), (40, 10, 2, 8)])
def test_on_right_or_wrong_scores_it_is_the_score_interval(counts) -> None:
    """Nam-Blackwelder's for the ratio, Tango's for the difference."""
    teacher, student = pairs(*counts)
    expected = retention(teacher, student, confidence=0.9)
    ends = ratio_limits(student, teacher, None, highest=1.0, confidence=0.9)
    assert ends == pytest.approx((expected.low, expected.high), abs=1e-6)
    expected = paired_difference(teacher, student, confidence=0.9)
    ends = mean_limits(student - teacher, None, value_range=(-1.0, 1.0), confidence=0.9)
    assert ends == pytest.approx((expected.low, expected.high), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(lambda c: c[0] > 3))
def test_statistic_of_four_values(counts) -> None:
    """As `score_z`, cell by cell, with the lowest value seen or not."""
    values = (0.05, 1.0, -0.95, 0.0)
    sample = np.repeat(values, counts)
    if sample.mean() > 1e-6:
        expected = score_z(values, counts)
        assert tilted_z(sample, -0.95) == pytest.approx(expected, rel=1e-6)


def test_weights_are_those_of_the_largest_likelihood() -> None:
    """Against a direct maximisation of sum log p over p >= 0 with sum 1 and mean 0."""
    d = np.array([-0.4, -0.1, 0.2, 0.3, 0.35])
    found = optimize.minimize(
        lambda p: -np.log(p).sum(), np.full(5, 0.2), method="SLSQP", bounds=[(1e-6, 1)] * 5,
        constraints=[{"type": "eq", "fun": lambda p: p.sum() - 1},
                     {"type": "eq", "fun": lambda p: p @ d}],
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    expected = d.mean() * np.sqrt(5 / (found.x @ d**2))
    assert tilted_z(d) == pytest.approx(expected, rel=1e-4)


def test_scores_that_do_not_vary_are_not_taken_for_certainty() -> None:
    """What a sample could still do counts; without a range nothing bounds the error."""
    same = np.full(60, 0.8)
    low, high = ratio_limits(same, same, None, highest=1.0, confidence=0.9)
    assert 0.85 < low < 0.98
    assert high > 1.0
    assert tilted_z(np.full(5, 0.1)) == np.inf


def test_large_samples_agree_with_fieller_and_clusters_widen() -> None:
    rng = np.random.default_rng(3)
    teacher = rng.beta(4, 2, 4000)
    student = np.clip(teacher * 0.97 + rng.normal(0, 0.05, 4000), 0, 1)
    fieller = retention(teacher, student, confidence=0.95)
    ends = ratio_limits(student, teacher, None, highest=1.0, confidence=0.95)
    assert ends == pytest.approx((fieller.low, fieller.high), abs=8e-4)
    codes = np.arange(4000) // 8
    shared = np.clip(teacher * (0.97 + rng.normal(0, 0.1, 500)[codes]), 0, 1)
    alone = ratio_limits(shared, teacher, None, highest=1.0, confidence=0.95)
    grouped = ratio_limits(shared, teacher, codes, highest=1.0, confidence=0.95)
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])
