"""The level at which each kind of rule is judged at one of several looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from kdeval.compare.compute import compare_run
from kdeval.errors import RunError
from kdeval.gate.decide import judge
from kdeval.gate.looking import policy_digest
from kdeval.gate.policy import GatePolicy
from kdeval.records import Metric
from kdeval.stats.betting import mean_limits, ratio_limits
from kdeval.stats.means import tilted
from kdeval.stats.sequential.group_sequential import each_look_alone, lan_demets
from kdeval.store.looks import LookKind, Looks, LookTaken, write_looks
from kdeval.store.run_directory import RunDirectory, write_manifest

MakeRun = Callable[..., Any]
LOOKS = (100, 200, 300, 400, 500)


def policy(*rules: dict[str, object], **settings: object) -> GatePolicy:
    return GatePolicy.model_validate({"rules": list(rules), **settings})


@pytest.fixture
def looked(make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any], flip_scores: Any):
    """A run of 200 samples that is the second of five looks, for a policy."""

    def make(
        rules: GatePolicy,
        *,
        kind: str = "obrien_fleming",
        taken: tuple[LookTaken, ...] = (),
        latencies: Any = None,
        prices: Any = None,
        lost: int = 6,
    ) -> RunDirectory:
        teacher, student = flip_scores(200, both=180 - lost, lost=lost)
        run = make_run(
            suite_scores(teacher=teacher, students={"small": student}),
            parts=run_parts(latencies=latencies, prices=prices or {}),
        )
        return at_second_look(run, rules, kind=kind, taken=taken)

    return make


def at_second_look(
    run: RunDirectory,
    rules: GatePolicy,
    *,
    kind: LookKind = "obrien_fleming",
    taken: tuple[LookTaken, ...] = (),
) -> RunDirectory:
    looks = Looks(
        kind=kind,
        policy=policy_digest(rules, "small", None),
        policy_name="gate.yaml",
        student="small",
        asked={},
        samples={"sentiment": LOOKS},
        units={"sentiment": {"all": LOOKS}},
        largest_cluster={"sentiment": {"all": 1}},
        taken=taken,
    )
    write_looks(run.path, looks)
    write_manifest(run.path, replace(run.manifest, look=2))
    return RunDirectory.open(run.path)


def decide(run: RunDirectory, rules: GatePolicy):
    return judge(run, compare_run(run), rules)


@pytest.mark.parametrize("metric", ["retention", "difference", "score"])
def test_means_have_the_level_of_the_look(looked: MakeRun, metric: str) -> None:
    """O'Brien-Fleming at the second of five equal looks, at the rule's own confidence."""
    limit = -0.2 if metric == "difference" else 0.1
    rules = policy({"metric": metric, "confidence": 0.9, "min": limit})
    (rule,) = decide(looked(rules), rules).rules
    assert rule.design == lan_demets(LOOKS, 1 - 0.9)
    assert rule.confidence == rule.design.levels[1]
    assert rule.look == 2
    assert "look 2 of 5: all looks together keep 90 %" in rule.evidence


def test_what_does_not_grow_is_judged_once_at_its_full_level(looked: MakeRun) -> None:
    """Probed latencies and fixed prices: the same figures at every look, so one test."""
    rules = policy(
        {"metric": "latency_ratio", "max": 0.9}, {"metric": "cost_ratio", "max": 0.9}, min_n=10
    )
    run = looked(
        rules,
        latencies={"big": [2.0] * 30, "small": [1.0] * 30},
        prices={"big": {"usd_per_request": 1.0}, "small": {"usd_per_request": 0.5}},
    )
    for rule in decide(run, rules).rules:
        assert rule.design.kind == "once"
        assert (rule.verdict, rule.confidence) == ("pass", pytest.approx(0.95))


def test_real_scores_have_tails_that_hold(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """The tilted score test in place of Fieller's and t, for the ratio and the difference."""
    rng = np.random.default_rng(2)
    teacher = rng.beta(4, 1, 200)
    student = teacher * np.where(rng.random(200) < 0.05, 0.5, 1.0)
    suite = suite_scores(
        teacher=teacher.tolist(), students={"small": student.tolist()}, metric="f1"
    )
    run = make_run(suite, parts=run_parts(metric=Metric(name="f1", low=0.0, high=1.0)))
    rules = policy({"metric": "retention", "min": 0.9}, {"metric": "difference", "min": -0.2})
    ratio, difference = decide(at_second_look(run, rules), rules).rules
    level = lan_demets(LOOKS, 1 - 0.95).levels[1]
    ends = tilted.ratio_limits(student, teacher, None, highest=1.0, confidence=2 * level - 1)
    assert (ratio.bound, ratio.opposite_bound) == pytest.approx(ends)
    ends = tilted.mean_limits(
        student - teacher, None, value_range=(-1.0, 1.0), confidence=2 * level - 1
    )
    assert (difference.bound, difference.opposite_bound) == pytest.approx(ends)
    assert ratio.method == difference.method == tilted.METHOD


def test_a_strict_rule_shares_its_error_evenly(looked: MakeRun) -> None:
    """An exact bound at each look, a fifth of the error each: no normal approximation."""
    rules = policy(
        {"metric": "retention", "min": 0.8, "promise": "strict"},
        {"metric": "error_share", "max": 0.05},
    )
    for rule in decide(looked(rules), rules).rules:
        assert rule.design == each_look_alone(LOOKS, 1 - 0.95)
        assert rule.confidence == pytest.approx(0.99)


def test_betting_bounds_of_ratios_and_means(looked: MakeRun, flip_scores: Any) -> None:
    """Each at the rule's whole confidence, from the scores as they are."""
    teacher, student = (np.array(scores) for scores in flip_scores(200, both=174, lost=6))
    rules = policy({"metric": "retention", "min": 0.9}, {"metric": "difference", "min": -0.2})
    ratio, difference = decide(looked(rules, kind="betting"), rules).rules
    expected = ratio_limits(student, teacher, None, chance=0.0, confidence=0.9)
    assert (ratio.bound, ratio.opposite_bound) == pytest.approx(expected)
    expected = mean_limits(student - teacher, None, value_range=(-1.0, 1.0), confidence=0.9)
    assert (difference.bound, difference.opposite_bound) == pytest.approx(expected)
    for rule in (ratio, difference):
        assert (rule.design.kind, rule.confidence) == ("betting", 0.95)
        assert "a bound that holds at every look" in rule.evidence


def test_betting_without_a_range_shares_the_error_over_doublings(looked: MakeRun) -> None:
    """As retention above chance: looks at 100, 200 and 400 have a half, a sixth and a twelfth."""
    rules = policy({"metric": "retention", "min": 0.5, "above_chance": True})
    (rule,) = decide(looked(rules, kind="betting"), rules).rules
    shares = [(1 - level) / 0.05 for level in rule.design.levels if level is not None]
    assert shares == pytest.approx([1 / 2, 1 / 6, 1 / 12])
    assert rule.confidence == pytest.approx(1 - 0.05 / 6)


def test_what_was_decided_at_an_earlier_look_stays(looked: MakeRun) -> None:
    """Its bound, n and look, although the present figures would say otherwise."""
    rules = policy({"metric": "retention", "min": 0.9})
    first = decide(looked(rules), rules).rules[0]
    failed = replace(first, verdict="fail", look=1, n=100)
    taken = (LookTaken(verdict="fail", results=(asdict(failed),)),)
    decision = decide(looked(rules, taken=taken), rules)
    assert decision.rules == (failed,)
    assert decision.verdict == "fail"
    other = policy({"metric": "retention", "min": 0.91})
    unaware = judge(looked(rules, taken=taken), compare_run(looked(rules)), other)
    assert unaware.rules[0].look == 2
    assert not unaware.looks.covered


def test_results_of_another_version_are_refused(looked: MakeRun) -> None:
    """Not taken for open rules."""
    rules = policy({"metric": "retention", "min": 0.9})
    run = looked(rules, taken=(LookTaken(verdict="pass", results=({"rule": "retention"},)),))
    with pytest.raises(RunError, match="another kdeval"):
        decide(run, rules)


def test_no_looks_no_change(make_run: MakeRun, suite_scores: type[Any], flip_scores: Any) -> None:
    """A run whose samples were fixed beforehand is judged as ever."""
    teacher, student = flip_scores(200, both=174, lost=6)
    run = make_run(suite_scores(teacher=teacher, students={"small": student}))
    rules = policy({"metric": "retention", "min": 0.9})
    decision = decide(run, rules)
    assert decision.looks is None
    assert decision.rules[0].design is None
    assert decision.rules[0].confidence == 0.95
