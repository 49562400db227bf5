"""Holm's procedure and the worst of several tasks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from kdeval.stats import holm, retention, shown_by_holm, smallest_of
from kdeval.stats.interval import Interval, unknown

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p_values, st.floats(0.001, 0.4))
@settings(deadline=None, max_examples=40)
def test_holm_is_statsmodels_holm(p: list[float], error: float) -> None:
    reject = multipletests(p, alpha=error, method="holm")[0]
    assert holm(p, error=error) == tuple(np.flatnonzero(reject))


@given(p_values, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(p: list[float], random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    shuffled = holm([p[i] for i in order], error=0.05)
    assert sorted(order[i] for i in shuffled) == list(holm(p, error=0.05))


def test_holm_steps_down() -> None:
    """.03 is too much for a third of 5 %, and enough for all of it once the others are shown."""
    assert holm([0.001, 0.03, 0.02], error=0.05) == (0, 1, 2)
    assert holm([0.03, 0.03, 0.02], error=0.05) == ()


@pytest.mark.parametrize("error", [0.0, 1.0, -1.0])
def test_an_error_is_a_share(error: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        shown_by_holm(lambda claim, share: True, 2, error=error)
    with pytest.raises(ValueError, match=r"p-values must lie in \[0, 1\]"):
        holm([float("nan")], error=0.05)


def intervals(*tables):
    def interval_at(index: int, confidence: float) -> Interval:
        both, gained, lost, neither = tables[index]
        counts = (both, gained, lost, neither)
        t, s = np.repeat([1.0, 0, 1, 0], counts), np.repeat([1.0, 1, 0, 0], counts)
        return retention(t, s, confidence=confidence)

    return interval_at


def test_the_worst_has_the_smallest_estimate_and_the_smallest_lower_end() -> None:
    """A small task's bound is the lowest although another task's estimate is."""
    tables = [(800, 20, 60, 120), (27, 1, 1, 1), (900, 0, 0, 100)]
    at = intervals(*tables)
    index, found = smallest_of(at, 3, confidence=0.95)
    assert index == 0
    assert found.estimate == at(0, 0.95).estimate
    assert found.low == at(1, 0.95).low < at(0, 0.95).low
    assert found.high == min(at(i, 1 - 0.05 / 3).high for i in range(3))
    assert found.n == 2030


def test_one_task_is_its_own_worst() -> None:
    at = intervals((80, 2, 4, 14))
    index, found = smallest_of(at, 1, confidence=0.9)
    assert index == 0
    assert (found.low, found.high) == (at(0, 0.9).low, at(0, 0.9).high)


def test_without_a_bound_of_some_task_there_is_none_over_all() -> None:
    at = intervals((80, 2, 4, 14))

    def some(index: int, confidence: float) -> Interval:
        if index:
            return unknown("one cluster", confidence=confidence, method="x", n=5, estimate=0.99)
        return at(0, confidence)

    _, found = smallest_of(some, 2, confidence=0.95)
    assert (found.low, found.reason) == (None, "some task has no lower bound")

    def none(index: int, confidence: float) -> Interval:
        return unknown("no samples", confidence=confidence, method="x", n=0)

    assert smallest_of(none, 2, confidence=0.95) is None
