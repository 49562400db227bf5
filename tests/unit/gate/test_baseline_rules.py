"""Rules against the previous student."""

from __future__ import annotations

from typing import Any

import pytest

from kdeval.errors import ConfigError
from kdeval.gate.baseline import load_baseline
from tests.unit.gate.judging import MakeRun, decide, only


def test_a_baseline_that_no_rule_asks_for_is_not_named(run_of: MakeRun) -> None:
    """The verdict does not rest on it."""
    run = run_of(100, both=100)
    decision = decide(run, {"metric": "score", "min": 0.5}, baseline=load_baseline(run.path))
    assert decision.baseline is None


def test_baseline_pairs_by_id_and_content(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Student minus baseline student; samples that changed since are left out and counted."""
    texts = [f"question {index}" for index in range(120)]
    old = make_run(suite_scores(teacher=[1.0] * 120, students={"old": [1.0] * 120}, texts=texts))
    texts[:20] = [f"edited {index}" for index in range(20)]
    new = make_run(
        suite_scores(teacher=[1.0] * 120, students={"new": [0.0] * 20 + [1.0] * 100}, texts=texts)
    )
    baseline = load_baseline(old.path)
    asked = {"metric": "baseline_difference", "min": -0.05, "max_missing": 0.2}
    decision = decide(new, asked, baseline=baseline)
    rule = only(decision)
    assert (rule.verdict, rule.n, rule.left_out, rule.estimate) == ("pass", 100, 20, 0.0)
    assert rule.evidence.endswith(
        "the baseline is the student 'old' of 'demo'; "
        "20 samples left out, changed since the baseline"
    )
    assert decision.baseline == "demo: old"
    rule = only(decide(new, {**asked, "max_missing": 0.1}, baseline=baseline))
    assert (rule.verdict, rule.samples_missing) == ("inconclusive", None)
    assert "20 of 120 samples are missing (16.7 %); at most 10.0 % may be" in rule.evidence


def test_a_student_worse_than_the_baseline_fails(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """The maximum loss against the previous student, here of the same run."""
    n = 400
    run = make_run(
        suite_scores(
            teacher=[1.0] * n, students={"old": [1.0] * n, "new": [0.0] * 60 + [1.0] * (n - 60)}
        )
    )
    decision = decide(
        run,
        {"metric": "baseline_difference", "min": -0.02},
        student="new",
        baseline=load_baseline(run.path, "old"),
    )
    assert decision.verdict == "fail"
    assert decision.baseline == "demo: old"
    assert only(decision).rule == "student minus baseline of exact, all: at least -2.0 points"


def test_a_baseline_of_other_samples_is_an_error(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """No overlap is no evidence, so it is no verdict either."""
    old = make_run(
        suite_scores(teacher=[1.0] * 3, students={"old": [1.0] * 3}, texts=["x", "y", "z"])
    )
    new = make_run(suite_scores(teacher=[1.0] * 4, students={"new": [1.0] * 4}))
    rule = {"metric": "baseline_difference", "min": -0.02}
    with pytest.raises(ConfigError) as caught:
        decide(new, rule, baseline=load_baseline(old.path))
    assert str(caught.value) == (
        "rules.0 (baseline_difference): no sample of 'sentiment', all, is in the baseline 'demo' "
        "with the same content (3 changed, 1 absent): it was made from other samples"
    )
    with pytest.raises(ConfigError, match="no baseline was given"):
        decide(new, rule)


@pytest.mark.parametrize("metric", ["baseline_difference", "negative_flips"])
def test_samples_taken_out_of_the_suite_are_counted(
    make_run: MakeRun, suite_scores: type[Any], metric: str
) -> None:
    """Hard samples that were deleted since flatter the new student: they are left out, and said."""
    old = make_run(suite_scores(teacher=[1.0] * 120, students={"small": [1.0] * 120}))
    new = make_run(suite_scores(teacher=[1.0] * 100, students={"small": [1.0] * 100}))
    limit = {"min": -0.1} if metric == "baseline_difference" else {"max": 0.1}
    rule = only(decide(new, {"metric": metric, **limit}, baseline=load_baseline(old.path)))
    assert (rule.verdict, rule.left_out, rule.n) == ("inconclusive", 20, 100)
    assert "20 samples left out, scored by the baseline and no longer in the suite" in rule.evidence
    allowed = decide(
        new, {"metric": metric, **limit}, baseline=load_baseline(old.path), max_missing=0.2
    )
    assert allowed.verdict == "pass"
    strict = {"metric": metric, **limit, "promise": "strict", "max_missing": 0.2}
    assert only(decide(new, strict, baseline=load_baseline(old.path))).promise == "strict"
