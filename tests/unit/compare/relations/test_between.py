"""Students against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdeval.compare.related.between import MOST_STUDENTS, standings
from kdeval.records import Metric
from kdeval.stats import paired_difference

METRIC = Metric(name="m")
LESS = Metric(name="m", higher_is_better=False)


def right(n: int, share: float) -> list[float]:
    """The first `share` of n samples right."""
    return [float(index < share * n) for index in range(n)]


def compare(make_sheet, make_student, scores, *, metric=METRIC, confidence=0.95, **known):
    students = [make_student(name, **known.get(name, {})) for name in scores if name != "t"]
    return standings(make_sheet(scores), students, metric=metric, confidence=confidence)


def test_the_best_is_named_only_where_it_is_shown(make_sheet, make_student) -> None:
    """20 points apart over 200 samples are shown; half a point is not."""
    apart = {"a": right(200, 0.9), "b": right(200, 0.7), "c": right(200, 0.4)}
    found = compare(make_sheet, make_student, apart)
    assert (found.best, found.leader) == ("a", "a")
    assert [pair.better for pair in found.pairs] == ["a", "a", "b"]
    close = apart | {"b": right(200, 0.895)}
    found = compare(make_sheet, make_student, close)
    assert (found.best, found.leader) == (None, "a")
    assert [pair.better for pair in found.pairs] == [None, "a", "b"]


def test_a_tie_has_no_leader(make_sheet, make_student) -> None:
    found = compare(make_sheet, make_student, {"a": right(50, 0.5), "b": right(50, 0.5)})
    assert (found.best, found.leader) == (None, None)


def test_where_less_is_better_the_lower_score_leads(make_sheet, make_student) -> None:
    scores = {"a": right(200, 0.9), "b": right(200, 0.4)}
    found = compare(make_sheet, make_student, scores, metric=LESS)
    assert (found.best, found.leader) == ("b", "b")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, None]), min_size=12, max_size=12),
        min_size=2,
        max_size=4,
    )
)
def test_pairs_are_paired_differences_on_common_samples(make_sheet, make_student, columns) -> None:
    """Differences and flips agree with a count sample by sample, whatever is missing."""
    scores = dict(zip("abcd", columns, strict=False))
    found = compare(make_sheet, make_student, scores)
    for pair, (first, second) in zip(found.pairs, itertools.combinations(scores, 2), strict=True):
        both = [
            (x, y)
            for x, y in zip(scores[first], scores[second], strict=True)
            if x is not None and y is not None
        ]
        assert pair.n == len(both)
        if not both:
            assert pair.difference.estimate is None
            continue
        assert pair.only_first == sum(x > y for x, y in both)
        assert pair.only_second == sum(y > x for x, y in both)
        one, other = np.array(both).T
        assert pair.difference == paired_difference(other, one)
        assert pair.simultaneous.confidence == pytest.approx(1 - 0.05 / len(found.pairs))


def test_domination_by_estimate_and_beyond_doubt(make_sheet, make_student) -> None:
    """B is worse and dearer than a; c is worse but cheaper, so it stays."""
    scores = {"a": right(300, 0.9), "b": right(300, 0.6), "c": right(300, 0.5)}
    known = {"a": {"usd": 0.2}, "b": {"usd": 0.3}, "c": {"usd": 0.1}}
    found = compare(make_sheet, make_student, scores, **known)
    assert found.axes == ("score", "cost")
    assert [(d.student, d.by, d.shown) for d in found.dominated] == [("b", "a", True)]


def test_latencies_that_overlap_are_not_beyond_doubt(make_sheet, make_student) -> None:
    scores = {"a": right(300, 0.9), "b": right(300, 0.6)}
    for half, shown in ((0.05, False), (0.01, True)):
        known = {"a": {"seconds": (0.20, half)}, "b": {"seconds": (0.25, half)}}
        found = compare(make_sheet, make_student, scores, **known)
        assert [(d.student, d.shown) for d in found.dominated] == [("b", shown)]


def test_what_is_unknown_of_one_student_is_no_axis(make_sheet, make_student) -> None:
    scores = {"a": right(300, 0.9), "b": right(300, 0.6)}
    found = compare(make_sheet, make_student, scores, a={"usd": 0.2})
    assert found.axes == ("score",)
    assert found.dominated == ()


def test_refusals_say_why(make_sheet, make_student) -> None:
    many = {f"m{index}": right(4, 0.5) for index in range(MOST_STUDENTS + 1)}
    assert "too many pairs" in (compare(make_sheet, make_student, many).reason or "")
    assert "fewer than two" in (compare(make_sheet, make_student, {"a": [1.0]}).reason or "")
