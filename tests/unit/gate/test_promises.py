"""Strict rules, rules above chance, what a sample could have shown, and the error ledger."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kdeval.errors import ConfigError
from kdeval.gate.policy import GatePolicy
from kdeval.records import Metric
from kdeval.stats import (
    clopper_pearson,
    paired_difference,
    retention,
    strict_difference,
    strict_retention,
)
from tests.unit.gate.judging import RETENTION, Flips, MakeRun, decide, only

STRICT = {**RETENTION, "promise": "strict"}
COUNTS = {"both": 850, "lost": 6, "gained": 4}


def test_a_strict_rule_has_strict_bounds(run_of: MakeRun, flip_scores: Flips) -> None:
    run = run_of(1000, **COUNTS)
    teacher, student = flip_scores(1000, **COUNTS)
    rule = only(decide(run, STRICT))
    expected = strict_retention(teacher, student, confidence=0.9)
    assert (rule.bound, rule.opposite_bound) == pytest.approx((expected.low, expected.high))
    assert (rule.promise, rule.verdict) == ("strict", "pass")
    assert "strict, betting (predictable stakes, shuffled)" in rule.evidence
    rule = only(decide(run, {"metric": "difference", "min": -0.03}, promise="strict"))
    expected = strict_difference(teacher, student, confidence=0.9)
    assert rule.bound == pytest.approx(expected.low, abs=1e-6)
    rule = only(decide(run, {"metric": "score", "min": 0.8, "promise": "strict"}))
    assert rule.bound == pytest.approx(clopper_pearson(854, 1000, confidence=0.9).low)
    assert rule.method == "Clopper-Pearson"


def test_a_strict_rule_asks_for_more(run_of: MakeRun) -> None:
    """More samples missing, and a higher floor, than the asymptotic one."""
    for n, counts in ((200, {"both": 175, "lost": 4, "gained": 1}), (60, {"both": 54})):
        run = run_of(n, **counts)
        plain, strict = only(decide(run, RETENTION)), only(decide(run, STRICT))
        if plain.verdict == "inconclusive":
            assert strict.samples_missing > plain.samples_missing
        assert strict.verdict == "inconclusive"
    assert "cannot pass at this n" in strict.evidence
    assert strict.floor > 60


def test_the_missing_samples_of_a_strict_rule_are_enough(run_of: MakeRun) -> None:
    """At the same rates most runs of that size pass; here the one with exactly those rates."""
    rule = only(decide(run_of(200, both=175, lost=4, gained=1), STRICT))
    times = -(-(200 + rule.samples_missing) // 200)
    enough = run_of(200 * times, both=175 * times, lost=4 * times, gained=times)
    assert only(decide(enough, STRICT)).verdict == "pass"


@pytest.mark.parametrize("metric", ["latency_ratio", "cost_ratio", "log_loss_difference"])
def test_no_strict_promise_where_none_can_be_kept(metric: str) -> None:
    with pytest.raises(ValidationError, match=f"no strict promise can be kept on {metric}"):
        GatePolicy.model_validate({"rules": [{"metric": metric, "max": 0.5, "promise": "strict"}]})


def test_a_strict_policy_is_strict_where_it_can_be() -> None:
    rules = [RETENTION, {"metric": "cost_ratio", "max": 0.5}, {**RETENTION, "slice": "each",
             "promise": "asymptotic"}, {"metric": "error_share", "max": 0.1}]  # fmt: skip
    policy = GatePolicy.model_validate({"promise": "strict", "rules": rules})
    said = [policy.promise_of(rule) for rule in policy.rules]
    assert said == ["strict", "asymptotic", "asymptotic", "strict"]


def test_strict_needs_a_range(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    scores = [2.0, 7.5] * 50
    suite = suite_scores(teacher=scores, students={"small": scores})
    run = make_run(suite, parts=run_parts(metric=Metric(name="exact", low=None, high=None)))
    with pytest.raises(ConfigError, match="a strict promise needs a mean of scores between"):
        decide(run, {"metric": "difference", "min": -0.5, "promise": "strict"})


def test_above_chance(run_of: MakeRun, flip_scores: Flips) -> None:
    """Half of the labels is taken off both scores; beside the plain rule, which keeps them."""
    run = run_of(1000, **COUNTS)
    teacher, student = flip_scores(1000, **COUNTS)
    decision = decide(run, RETENTION, {**RETENTION, "above_chance": True})
    expected = retention(teacher, student, chance=0.5, confidence=0.9)
    rule = decision.rules[1]
    assert (rule.bound, rule.estimate) == pytest.approx((expected.low, expected.estimate))
    assert rule.bound < decision.rules[0].bound
    assert rule.rule == "retention above chance of exact, all: at least 95.0 %"
    strict = only(decide(run, {**STRICT, "above_chance": True}))
    assert strict.bound < rule.bound


def test_above_chance_needs_a_chance() -> None:
    with pytest.raises(ValidationError, match="above_chance goes with retention, not with score"):
        GatePolicy.model_validate({"rules": [{"metric": "score", "min": 1, "above_chance": True}]})


def test_an_inconclusive_rule_says_what_another_run_of_its_size_would_show(run_of: MakeRun) -> None:
    """The detectable limit: with it as the limit, these samples would have been enough."""
    run = run_of(400, both=350, lost=10, gained=6)
    rule = only(decide(run, {**RETENTION, "min": 0.985}))
    assert rule.verdict == "inconclusive"
    assert rule.detectable < rule.bound < rule.estimate
    assert rule.could_show == (
        f"another run of this size would show at least {100 * rule.detectable:.1f} % with 80 % "
        "probability, were the student as good as it looks"
    )
    assert rule.could_show in rule.evidence
    below, above = (
        only(decide(run, {**RETENTION, "min": rule.detectable + shift})) for shift in (-1e-3, 0.02)
    )
    assert below.verdict == "pass"
    assert (above.verdict, above.samples_missing > 0) == ("inconclusive", True)


@pytest.mark.parametrize(
    "rule", [{"metric": "difference", "min": -0.001}, {"metric": "score", "min": 0.87}]
)
def test_the_detectable_limit_of_means(run_of: MakeRun, rule: dict[str, Any]) -> None:
    found = only(decide(run_of(400, both=346, lost=10, gained=6), rule))
    assert found.verdict == "inconclusive"
    assert found.detectable < found.bound


def test_log_losses_that_happen_to_be_small_have_no_known_limit(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """Sixty alike show nothing of how large one can be; a Brier score is limited to 1."""
    scores = suite_scores(
        teacher=[1.0] * 60, students={"small": [1.0] * 60}, probabilities=(0.8, 0.8)
    )
    rules = [{"metric": f"{name}_difference", "max": 0.1} for name in ("log_loss", "brier")]
    loss, brier = decide(make_run(scores), *rules).rules
    assert (loss.verdict, loss.bound, loss.samples_missing) == ("inconclusive", None, None)
    assert "nothing bounds the error" in loss.evidence
    assert (brier.verdict, brier.bound < 0.1) == ("pass", True)


@pytest.mark.parametrize("high", [None, 5.0])
def test_the_metric_says_where_scores_lie(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any], high: float | None
) -> None:
    """Not the scores that were seen, which all lie in [0, 1]."""
    scores = suite_scores(teacher=[0.5] * 60, students={"small": [0.5] * 60})
    run = make_run(scores, parts=run_parts(metric=Metric(name="exact", high=high)))
    rule = only(decide(run, {"metric": "difference", "min": -0.9}))
    if high is None:
        assert (rule.bound, rule.samples_missing) == (None, None)
    else:
        unit = paired_difference([0.1] * 60, [0.1] * 60, confidence=0.9, limits=(0.0, 1.0))
        assert rule.bound == pytest.approx(5 * unit.low)


def test_a_decided_rule_says_no_more(run_of: MakeRun) -> None:
    assert only(decide(run_of(1000, **COUNTS), RETENTION)).could_show is None


def test_the_ledger(run_of: MakeRun) -> None:
    """A line for each rule, none corrected; what adds up is what may wrongly fail."""
    run = run_of(400, both=360, domains=["a", "b", "c", "d"] * 100)
    decision = decide(
        run,
        {**STRICT, "confidence": 0.99},
        {**RETENTION, "slice": "domain=*"},
        {"metric": "difference", "min": -0.1, "confidence": 0.9},
    )
    ledger = decision.ledger
    lines = {line.wrong: line for line in ledger.lines}
    splits = [line.split for line in ledger.lines]
    assert splits == ["none", "intersection-union", "none", "sum"]
    whole = lines["passes wrongly: retention of exact, all: at least 95.0 %"]
    assert (whole.error, whole.promise, whole.tests) == (pytest.approx(0.01), "strict", 1)
    each = lines[
        "passes wrongly on some of 4 slices: retention of exact, domain=*: at least 95.0 %"
    ]
    assert (each.error, each.tests) == (pytest.approx(0.05), 4)
    assert ledger.false_pass == pytest.approx(0.1)
    assert ledger.false_fail == pytest.approx(0.01 + 4 * 0.05 + 0.1)
    failing = lines["a student that meets every limit fails"]
    assert (failing.error, failing.promise) == (pytest.approx(ledger.false_fail), "asymptotic")
