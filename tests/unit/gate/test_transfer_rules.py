"""The gate rule on the gap between benchmark and production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kdeval.compare.compute import compare_run
from kdeval.errors import ConfigError
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision
from kdeval.gate.policy import GatePolicy, load_policy
from kdeval.records import Metric
from kdeval.stats import one_sided
from kdeval.store.run_directory import RunDirectory

from .conftest import RunParts, SuiteScores, write_run


def right(n: int, every: int) -> list[float]:
    return [float(index % every != 0) for index in range(n)]


def run_with(
    path: Path,
    production: Sequence[float | None],
    roles: Sequence[str | None] = ("benchmark", "production"),
) -> RunDirectory:
    """Two points behind on the exam of 2,000; in production as told."""
    n = len(production)
    suites = [
        SuiteScores(name="exam", teacher=[1.0] * 2000, students={"small": right(2000, 50)}),
        SuiteScores(name="traffic", teacher=[1.0] * n, students={"small": production}),
    ]
    run = write_run(path, suites, RunParts())
    entries = tuple(
        replace(suite, role=role) for suite, role in zip(run.manifest.suites, roles, strict=True)
    )
    return RunDirectory(run.path, replace(run.manifest, suites=entries))


def judged(run: RunDirectory, policy: GatePolicy) -> GateDecision:
    return judge(run, compare_run(run), policy)


def policy(**changes: object) -> GatePolicy:
    rule = {"metric": "transfer_gap", "suite": "traffic", "min": -0.05} | changes
    return GatePolicy.model_validate({"rules": [rule]})


@pytest.mark.parametrize(
    ("every", "n", "verdict"), [(50, 2000, "pass"), (5, 2000, "fail"), (20, 100, "inconclusive")]
)
def test_verdicts(tmp_path: Path, every: int, n: int, verdict: str) -> None:
    """No gap, 18 points, and 3 points of which a hundred samples cannot tell."""
    run = run_with(tmp_path / "run", right(n, every))
    decision = judged(run, policy())
    (result,) = decision.rules
    assert decision.verdict == verdict
    assert result.estimate == pytest.approx(1 / 50 - 1 / every)
    assert "against the benchmark exam" in result.evidence
    assert result.n == n


@pytest.mark.parametrize(("high", "verdict"), [(1.0, "pass"), (None, "inconclusive")])
def test_scores_without_a_limit_bound_no_gap(
    tmp_path: Path, high: float | None, verdict: str
) -> None:
    """All alike and between 0 and 1, but what was not seen may lie anywhere."""
    scores = [0.4] * 500
    suites = [
        SuiteScores(name=name, teacher=scores, students={"small": scores})
        for name in ("exam", "traffic")
    ]
    parts = RunParts(metric=Metric(name="exact", low=0.0, high=high))
    run = write_run(tmp_path / "run", suites, parts)
    entries = tuple(
        replace(suite, role=role)
        for suite, role in zip(run.manifest.suites, ("benchmark", "production"), strict=True)
    )
    run = RunDirectory(run.path, replace(run.manifest, suites=entries))
    decision = judged(run, policy())
    assert decision.verdict == verdict
    assert (decision.rules[0].bound is None) == (high is None)


def test_the_bound_is_that_of_the_report_at_the_rules_level(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", right(500, 10))
    (result,) = judged(run, policy(confidence=0.95)).rules
    (found,) = compare_run(run, confidence=one_sided(0.95)).transfers
    assert result.bound == pytest.approx(found.gaps[0].gap.low)


def test_a_large_benchmark_hides_neither_a_small_nor_an_unanswered_production(
    tmp_path: Path,
) -> None:
    """Its n is the smaller suite's, and the suite that lacks most decides what is missing."""
    small = judged(run_with(tmp_path / "small", right(40, 50)), policy()).rules[0]
    assert (small.verdict, small.n) == ("inconclusive", 40)
    holes = [None if index < 30 else 1.0 for index in range(200)]
    missing = judged(run_with(tmp_path / "holes", holes), policy()).rules[0]
    assert missing.verdict == "inconclusive"
    assert "on the suite traffic, 30 of 200 samples are missing" in missing.evidence


@pytest.mark.parametrize(
    ("roles", "changes", "expected"),
    [
        ((None, "production"), {}, "needs one suite that says role: benchmark"),
        (("benchmark", None), {}, "'traffic' is no production suite"),
        (("benchmark", "production"), {"suite": "exam"}, "'exam' is no production suite"),
        (("benchmark", "production"), {"suite": None}, "say which with `suite:`"),
        (("benchmark", "production"), {"min": -2}, "write -0.02 for 2 points"),
        (("benchmark", "production"), {"min": None, "max": 0.1}, "takes min, not max"),
    ],
)
def test_what_it_needs(tmp_path: Path, roles, changes, expected: str) -> None:
    rule = policy(**changes)
    with pytest.raises(ConfigError, match=expected):
        judged(run_with(tmp_path / "run", right(100, 10), roles), rule)


def test_no_strict_promise(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(
        "rules: [{metric: transfer_gap, suite: traffic, min: -0.05, promise: strict}]\n"
    )
    with pytest.raises(ConfigError, match="no strict promise can be kept on transfer_gap"):
        load_policy(file)
