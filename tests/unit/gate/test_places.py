"""Which suite, slice, score and student a rule means."""

from __future__ import annotations

from typing import Any

import pytest

from kdeval.compare.compute import compare_run
from kdeval.errors import ConfigError, UsageError
from kdeval.gate.decide import judge
from kdeval.records import Metric
from tests.unit.gate.judging import RETENTION, MakeRun, decide, only, policy


def test_slices_expand(run_of: MakeRun) -> None:
    """`each` and "tag=*" make one rule a slice; a name picks one."""
    run = run_of(200, both=200, domains=["news", "tweets"] * 100)
    for pattern in ("each", "domain=*"):
        decision = decide(run, {**RETENTION, "slice": pattern})
        assert [rule.slice for rule in decision.rules] == ["domain=news", "domain=tweets"]
    assert only(decide(run, {**RETENTION, "slice": "domain=news"})).n == 100


def test_unknown_names_are_all_listed(run_of: MakeRun) -> None:
    """Suites, slices and scores that do not exist, each with the nearest that does."""
    run = run_of(100, both=100, domains=["news", "tweets"] * 50)
    with pytest.raises(ConfigError) as caught:
        decide(
            run,
            {**RETENTION, "suite": "sentimant"},
            {**RETENTION, "slice": "domain=tweet"},
            {**RETENTION, "slice": "domein=*"},
            {**RETENTION, "score": "exakt"},
            {"metric": "retention", "max": 0.9},
            {"metric": "score", "min": 80},
        )
    assert caught.value.problems == (
        "rules.0 (retention): the run has no suite 'sentimant'; did you mean 'sentiment'?",
        "rules.1 (retention): suite 'sentiment' has no slice 'domain=tweet'; did you mean "
        "'domain=tweets'?",
        "rules.2 (retention): suite 'sentiment' has no tag 'domein'; did you mean 'domain'?",
        "rules.3 (retention): suite 'sentiment' has no score 'exakt'; did you mean 'exact'?",
        "rules.4 (retention): takes min, not max: of 'exact', higher is better",
        "rules.5 (score): 80 is no possible 'exact': it lies between 0 and 1",
    )


def test_the_suite_must_be_named_among_several(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """With one suite it may be left out; with two, a rule says which."""
    scores = {"teacher": [1.0] * 60, "students": {"small": [1.0] * 60}}
    run = make_run(suite_scores(name="a", **scores), suite_scores(name="b", **scores))
    with pytest.raises(ConfigError, match=r"the run has 2 suites \(a, b\): say which with"):
        decide(run, RETENTION)
    assert only(decide(run, {**RETENTION, "suite": "b"})).rule == (
        "retention of exact on b, all: at least 95.0 %"
    )


def test_the_student_must_be_named_among_several(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """The command line's wins over the policy's; a wrong name gets the nearest."""
    run = make_run(
        suite_scores(teacher=[1.0] * 60, students={"first": [1.0] * 60, "second": [0.0] * 60})
    )
    with pytest.raises(UsageError, match=r"the run has 2 students \(first, second\)"):
        decide(run, RETENTION)
    with pytest.raises(UsageError, match=r"no student 'frist'; did you mean 'first'\?"):
        decide(run, RETENTION, student="frist")
    made = policy(RETENTION, student="second")
    assert judge(run, compare_run(run), made).student == "second"
    assert judge(run, compare_run(run), made, student="first").student == "first"


def test_lower_is_better_scores_take_max(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """Of an error rate the student's may be at most so much more than the teacher's."""
    parts = run_parts(metric=Metric(name="exact", higher_is_better=False))
    teacher, student = [0.1, 0.3] * 100, [0.11, 0.3] * 100
    run = make_run(suite_scores(teacher=teacher, students={"small": student}), parts=parts)
    assert only(decide(run, {"metric": "difference", "max": 0.02})).verdict == "pass"
    with pytest.raises(ConfigError, match="takes max, not min"):
        decide(run, {"metric": "difference", "min": -0.02})
