"""Rules on scores of which lower is better: less than 1 is a loss here too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdeval.compare.compute import compare_run
from kdeval.errors import ConfigError
from kdeval.gate.decide import judge
from kdeval.gate.decision import RuleResult
from kdeval.gate.policy import GatePolicy
from kdeval.records import Metric
from kdeval.store.run_directory import RunDirectory


@pytest.fixture
def errors_run(make_run: Any, suite_scores: type[Any], run_parts: type[Any]) -> RunDirectory:
    """Errors of a teacher at .2 and of a student at .25, 300 samples each."""
    rng = np.random.default_rng(0)
    teacher = rng.gamma(4, 0.05, 300)
    student = 1.25 * teacher * rng.gamma(50, 1 / 50, 300)
    metric = Metric(name="exact", higher_is_better=False, high=None)
    suite = suite_scores(teacher=list(teacher), students={"small": list(student)})
    run: RunDirectory = make_run(suite, parts=run_parts(metric=metric))
    return run


def decided(run: RunDirectory, **rule: Any) -> RuleResult:
    policy = GatePolicy.model_validate({"rules": [rule]})
    return judge(run, compare_run(run), policy).rules[0]


def test_retention_is_teacher_over_student(errors_run: RunDirectory) -> None:
    found = decided(errors_run, metric="retention", min=0.9)
    cell = compare_run(errors_run).students[0].cells[0]
    assert found.verdict == "fail"
    assert found.estimate == pytest.approx(
        cell.teacher_score.estimate / cell.student_score.estimate
    )
    assert found.estimate == pytest.approx(0.8, abs=0.02)
    assert decided(errors_run, metric="retention", min=0.75).verdict == "pass"


def test_an_undecided_retention_says_what_is_missing(errors_run: RunDirectory) -> None:
    estimate = decided(errors_run, metric="retention", min=0.9).estimate
    assert estimate is not None
    found = decided(errors_run, metric="retention", min=round(estimate - 0.003, 4))
    assert found.verdict == "inconclusive"
    assert found.samples_missing is not None


def test_it_takes_min_and_the_other_rules_max(errors_run: RunDirectory) -> None:
    with pytest.raises(ConfigError, match="takes min, not max"):
        decided(errors_run, metric="retention", max=1.1)
    assert decided(errors_run, metric="difference", max=0.1).verdict == "pass"
    assert decided(errors_run, metric="score", max=0.2).verdict == "fail"


def test_a_student_without_errors_has_no_bound(
    make_run: Any, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """Nothing divides by zero, and the reason names the student."""
    metric = Metric(name="exact", higher_is_better=False, high=None)
    suite = suite_scores(teacher=[0.1, 0.3] * 50, students={"small": [0.0] * 100})
    run = make_run(suite, parts=run_parts(metric=metric))
    cell = compare_run(run).students[0].cells[0]
    assert cell.retention.estimate is None
    assert "the student's mean score is not above zero" in str(cell.retention.reason)
