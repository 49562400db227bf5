"""The samples that a gate misses are those that a plan with the run as its pilot asks for."""

from __future__ import annotations

from typing import Any

import pytest

from kdeval.compare.compute import compare_run
from kdeval.gate.baseline import load_baseline
from kdeval.gate.planning.rules import rules_in_pilot
from kdeval.gate.policy import GatePolicy
from tests.unit.gate.judging import MakeRun, decide, only


def _clustered(make_run: MakeRun, suite_scores: type[Any], clusters: bool) -> Any:
    """600 samples in 150 groups of 4; the student loses a whole group, and gains singles."""
    teacher = [1.0] * 540 + [0.0] * 60
    student = [0.0] * 12 + [1.0] * 528 + [1.0, 0.0, 0.0, 0.0] * 15
    groups = [f"doc {index // 4}" for index in range(600)] if clusters else None
    return make_run(suite_scores(teacher=teacher, students={"small": student}, clusters=groups))


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        {"metric": "retention", "min": 0.99},
        {"metric": "difference", "min": -0.005},
        {"metric": "baseline_difference", "min": -0.004},
        {"metric": "negative_flips", "max": 0.001},
        {"metric": "score", "min": 0.885},
    ],
)
def test_the_gate_and_the_plan_say_the_same(
    make_run: MakeRun, suite_scores: type[Any], rule: dict[str, Any], clusters: bool
) -> None:
    """With clusters, and for a student that is its own baseline (not one flip)."""
    run = _clustered(make_run, suite_scores, clusters)
    baseline = load_baseline(run.path)
    found = only(decide(run, rule, baseline=baseline))
    _, (planned,) = rules_in_pilot(
        run, compare_run(run), GatePolicy.model_validate({"rules": [rule]}), 0.8, baseline=baseline
    )
    assert found.verdict == "inconclusive"
    assert found.n + found.samples_missing == planned.plan.needed
    bound = found.bound if rule.get("min") is not None else -found.bound
    if found.detectable is not None:
        limit = found.detectable if rule.get("min") is not None else -found.detectable
        assert limit <= bound


def test_clusters_take_more_samples(make_run: MakeRun, suite_scores: type[Any]) -> None:
    rule = {"metric": "difference", "min": -0.005}
    alone, together = (
        only(decide(_clustered(make_run, suite_scores, clusters), rule)).samples_missing
        for clusters in (False, True)
    )
    assert together > 1.2 * alone
