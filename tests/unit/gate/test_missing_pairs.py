"""Samples that are missing: named, counted, and where too many, nothing is decided."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gate.judging import RETENTION, MakeRun, decide, only


def test_all_pairs_missing_is_inconclusive(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Without one complete pair there is no figure, and never a pass."""
    run = make_run(suite_scores(teacher=[1.0] * 5, students={"small": [None] * 5}))
    decision = decide(run, RETENTION, {"metric": "score", "min": 0.1})
    assert [rule.verdict for rule in decision.rules] == ["inconclusive"] * 2
    assert [rule.n for rule in decision.rules] == [0, 0]
    assert "5 samples left out (5 student errors)" in decision.rules[0].evidence


def test_missing_pairs_are_named(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Errors of either side drop the pair, and the evidence says so."""
    teacher = [None, None, *[1.0] * 98]
    student = [1.0, 1.0, None, *[1.0] * 97]
    run = make_run(suite_scores(teacher=teacher, students={"small": student}))
    rule = only(decide(run, {"metric": "difference", "min": -0.1}))
    assert (rule.n, rule.left_out) == (97, 3)
    assert rule.evidence.endswith("3 samples left out (2 teacher errors, 1 student error)")


def test_a_sample_on_which_both_failed_is_an_error_of_each(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """Neither side's errors hide the other's, and the sample is left out once."""
    teacher = [None, None, *[1.0] * 98]
    student = [1.0, None, None, None, *[1.0] * 96]
    run = make_run(suite_scores(teacher=teacher, students={"small": student}))
    rule = only(decide(run, {"metric": "difference", "min": -0.1}))
    assert (rule.n, rule.left_out) == (96, 4)
    assert rule.evidence.endswith(
        "4 samples left out (2 teacher errors, 3 student errors (on 1 sample both failed))"
    )


def test_too_many_missing_pairs_decide_nothing(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Neither a pass nor a fail on the few samples that a student answered."""
    for rest in ([1.0] * 100, [0.0] * 100):
        students = {"small": [*rest, *[None] * 900]}
        run = make_run(suite_scores(teacher=[1.0] * 1000, students=students))
        rule = only(decide(run, RETENTION))
        assert (rule.verdict, rule.samples_missing, rule.left_out) == ("inconclusive", None, 900)
        assert rule.max_missing == 0.05
        assert "900 of 1,000 samples are missing (90.0 %); at most 5.0 % may be" in rule.evidence
        assert "no number of samples" not in rule.evidence
        decided = ["pass" if rest[0] else "fail"]
        for settings in ({"max_missing": 0.9}, {"max_missing": 1}):
            assert [r.verdict for r in decide(run, RETENTION, **settings).rules] == decided
            assert [r.verdict for r in decide(run, {**RETENTION, **settings}).rules] == decided


@pytest.mark.parametrize(("missing", "verdict"), [(50, "pass"), (51, "inconclusive")])
def test_the_largest_share_may_just_be_missing(
    make_run: MakeRun, suite_scores: type[Any], missing: int, verdict: str
) -> None:
    """Five percent are not more than five percent."""
    student = [None] * missing + [1.0] * (1000 - missing)
    run = make_run(suite_scores(teacher=[1.0] * 1000, students={"small": student}))
    assert only(decide(run, RETENTION)).verdict == verdict
