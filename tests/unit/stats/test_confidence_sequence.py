"""Running bounds by betting: order, clusters, and agreement with the bound at a single n."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kdeval_router.bounds import mixture_log_capital, mixture_log_capitals

from kdeval.stats.betting import mean_limits, ratio_limits
from kdeval.stats.sequential.confidence_sequence import first_crossing, retention_sequence

UNIT = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(UNIT, st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.97, 1.0]))
def test_capital_after_each_value(values, limit):
    """The path ends, at every n, where the capital of the first n values stands."""
    path = mixture_log_capitals(values, limit)
    for n in range(1, len(values) + 1):
        assert path[n - 1] == pytest.approx(mixture_log_capital(values[:n], limit), abs=1e-9)


def _pairs(n, retained, seed=3):
    rng = np.random.default_rng(seed)
    teacher = (rng.random(n) < 0.9).astype(float)
    return teacher, teacher * (rng.random(n) < retained)


def test_a_crossing_is_where_the_bound_clears_the_threshold():
    """Just before it the running lower bound lies below, from it on above."""
    teacher, student = _pairs(3000, 0.99)
    found = first_crossing(teacher, student, threshold=0.95, level=0.95)
    assert found is not None
    assert found.verdict == "pass"
    looks = (found.units - 1, found.units)
    bounds = retention_sequence(teacher, student, level=0.95, looks=looks)
    assert bounds.low[0] < 0.95 <= bounds.low[1] + 1e-9


def test_a_bad_student_fails_and_a_borderline_one_is_left_open():
    teacher, student = _pairs(3000, 0.8)
    found = first_crossing(teacher, student, threshold=0.95, level=0.95)
    assert found is not None
    assert found.verdict == "fail"
    teacher, student = _pairs(200, 0.95)
    assert first_crossing(teacher, student, threshold=0.95, level=0.99) is None


def test_running_bounds_never_widen():
    teacher, student = _pairs(1000, 0.97)
    bounds = retention_sequence(teacher, student, level=0.95, looks=range(50, 1001, 50))
    assert list(bounds.low) == sorted(bounds.low)
    assert list(bounds.high) == sorted(bounds.high, reverse=True)
    single = ratio_limits(student, teacher, None, chance=0.0, confidence=0.9)
    assert bounds.low[-1] >= single[0]
    assert bounds.high[-1] <= single[1]


def test_a_teacher_without_a_right_answer_yet_bounds_nothing():
    bounds = retention_sequence([0.0, 0.0], [1.0, 0.0], level=0.95, looks=[1, 2])
    assert bounds.low == bounds.high == (None, None)


def test_clusters_are_the_units_in_the_order_they_came():
    """Relabelled clusters decide alike; a larger possible cluster only decides later."""
    teacher, student = _pairs(4000, 0.995)
    codes = np.arange(4000) // 4
    relabelled = 9_999 - codes
    one, other, cautious = (
        first_crossing(
            teacher, student, threshold=0.95, level=0.95, clusters=c, largest_cluster=largest
        )
        for c, largest in ((codes, 4), (relabelled, 4), (codes, 8))
    )
    assert one == other
    assert cautious.units >= one.units
    assert one.units <= 1000


def test_the_scale_of_clusters_can_be_fixed_beforehand():
    """Bounds at a larger scale are wider; a cluster beyond it is refused."""
    rng = np.random.default_rng(5)
    values, codes = rng.random(60) * 0.2 + 0.7, np.arange(60) // 3
    tight, wide = (
        mean_limits(values, codes, value_range=(0.0, 1.0), confidence=0.9, largest_cluster=largest)
        for largest in (3, 6)
    )
    assert wide[0] < tight[0] < values.mean() < tight[1] < wide[1]
    with pytest.raises(ValueError, match="has 3 samples"):
        mean_limits(values, codes, value_range=(0.0, 1.0), confidence=0.9, largest_cluster=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"teacher": [1.0, 2.0], "student": [1.0, 1.0]}, "range"),
        ({"teacher": [1.0], "student": [1.0, 1.0]}, "paired"),
        ({"teacher": [1.0, 1.0], "student": [1.0, 1.0], "clusters": [0, 0]}, "largest_cluster"),
    ],
)
def test_what_cannot_be_bounded_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        first_crossing(**arguments, threshold=0.9, level=0.95)
    with pytest.raises(ValueError, match=words):
        retention_sequence(**arguments, level=0.95, looks=[1])
    with pytest.raises(ValueError, match="look"):
        retention_sequence([1.0], [1.0], level=0.95, looks=[2])
