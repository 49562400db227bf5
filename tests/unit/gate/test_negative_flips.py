"""The rule on negative flips, and the flips of every slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from kdeval.compare.compute import compare_run
from kdeval.compare.selection import load_pairs
from kdeval.errors import ConfigError, UsageError
from kdeval.gate.baseline import load_baseline
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision
from kdeval.gate.policy import GatePolicy
from kdeval.gate.previous import against_previous
from kdeval.records import Metric
from kdeval.stats.binomial import clopper_pearson

MakeRun = Callable[..., Any]
RULE = {"metric": "negative_flips", "max": 0.05}


def gate(run: Any, rule: dict[str, Any] = RULE, **more: Any) -> GateDecision:
    policy = GatePolicy.model_validate({"rules": [rule]})
    return judge(run, compare_run(run), policy, **more)


@pytest.fixture
def pair_of(make_run: MakeRun, suite_scores: type[Any]) -> MakeRun:
    """A run with an old and a new student: n samples, lost and gained ones of them."""

    def make(n: int, *, lost: int, gained: int, **more: Any) -> Any:
        old = [0.0] * gained + [1.0] * (n - gained)
        new = [1.0] * (n - lost) + [0.0] * lost
        parts = more.pop("parts", None)
        students = {"old": old, "new": new}
        return make_run(suite_scores(teacher=[1.0] * n, students=students, **more), parts=parts)

    return make


@pytest.mark.parametrize(
    ("n", "lost", "verdict"),
    [(400, 5, "pass"), (400, 60, "fail"), (100, 4, "inconclusive"), (58, 0, "inconclusive")],
)
def test_the_bound_is_exact(pair_of: MakeRun, n: int, lost: int, verdict: str) -> None:
    """Clopper-Pearson at the rule's level, whatever was gained meanwhile."""
    run = pair_of(n, lost=lost, gained=20)
    decision = gate(run, student="new", baseline=load_baseline(run.path, "old"))
    [rule] = decision.rules
    assert rule.verdict == verdict
    upper = clopper_pearson(lost, n, confidence=0.95, side="upper")
    assert rule.bound == pytest.approx(upper.high)
    assert rule.estimate == lost / n
    assert decision.baseline == "demo: old"
    assert rule.floor == 59
    assert rule.rule == (
        "samples that the baseline has right and the student wrong of exact, all: at most 5.0 %"
    )


def test_gains_do_not_make_up_for_losses(pair_of: MakeRun) -> None:
    """The difference is nought, and the rule fails."""
    run = pair_of(500, lost=60, gained=60)
    baseline = load_baseline(run.path, "old")
    difference = {"metric": "baseline_difference", "min": -0.05}
    assert gate(run, difference, student="new", baseline=baseline).verdict == "pass"
    assert gate(run, student="new", baseline=baseline).verdict == "fail"


def test_clusters_widen_the_bound(pair_of: MakeRun) -> None:
    """Losses that strike whole clusters are fewer than they look; no floor is known then."""
    clusters = [f"c{index // 20}" for index in range(400)]
    alone, grouped = pair_of(400, lost=12, gained=0), pair_of(400, lost=12, gained=0,
                                                            clusters=clusters)  # fmt: skip
    bounds = []
    for run in (alone, grouped):
        [rule] = gate(run, student="new", baseline=load_baseline(run.path, "old")).rules
        bounds.append(rule.bound)
    assert bounds[1] > bounds[0]
    assert rule.clusters == 20
    assert rule.floor is None


def test_a_strict_promise_can_be_kept(pair_of: MakeRun) -> None:
    """The bound holds at every n."""
    run = pair_of(400, lost=5, gained=0)
    rule = {**RULE, "promise": "strict"}
    assert gate(run, rule, student="new", baseline=load_baseline(run.path, "old")).verdict == "pass"


def test_of_a_metric_where_less_is_better_nought_is_right(
    pair_of: MakeRun, run_parts: type[Any]
) -> None:
    """Right is 0 there, so a rise is the negative flip."""
    parts = run_parts(metric=Metric(name="exact", higher_is_better=False))
    run = pair_of(100, lost=30, gained=10, parts=parts)
    [rule] = gate(run, student="new", baseline=load_baseline(run.path, "old")).rules
    assert rule.estimate == 0.1


def test_what_is_not_right_or_wrong_does_not_flip(
    make_run: MakeRun, suite_scores: type[Any]
) -> None:
    """The rule is refused with the way out, and the report has no cell."""
    run = make_run(
        suite_scores(teacher=[1.0] * 60, students={"old": [0.5] * 60, "new": [0.4] * 60})
    )
    baseline = load_baseline(run.path, "old")
    with pytest.raises(ConfigError, match="use baseline_difference"):
        gate(run, student="new", baseline=baseline)
    found = against_previous(load_pairs(run), "new", {}, baseline, confidence=0.95)
    assert found.cells == ()


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_a_limit_that_nothing_clears_is_refused(limit: float) -> None:
    """No number of samples shows a share of exactly 0; 5 is no share."""
    with pytest.raises(ValidationError, match="between 0 and 1, both excluded"):
        GatePolicy.model_validate({"rules": [{"metric": "negative_flips", "max": limit}]})


def test_flips_of_every_slice(pair_of: MakeRun) -> None:
    """Counts, shares with intervals, chance, and the ids that were lost."""
    domains = ["a"] * 30 + ["b"] * 30
    run = pair_of(60, lost=6, gained=12, domains=domains)
    baseline = load_baseline(run.path, "old")
    found = against_previous(load_pairs(run), "new", {}, baseline, confidence=0.9)
    whole, first, second = found.cells
    assert (whole.slice, first.slice, second.slice) == ("all", "domain=a", "domain=b")
    assert (whole.table.lost, whole.table.gained) == (6, 12)
    assert (first.table.lost, second.table.lost) == (0, 6)
    assert whole.negative.estimate == pytest.approx(0.1)
    assert whole.by_chance == pytest.approx(0.8 * 0.1)
    assert whole.negative.confidence == 0.9
    assert found.lost == {("sentiment", "exact"): tuple(f"s{i}" for i in range(54, 60))}
    assert found.previous == "demo: old"


def test_other_samples_are_refused(pair_of: MakeRun) -> None:
    """A baseline without a sample in common says nothing."""
    old = pair_of(20, lost=0, gained=0, texts=[f"other {i}" for i in range(20)])
    new = pair_of(20, lost=0, gained=0)
    with pytest.raises(UsageError, match="made from other samples"):
        against_previous(
            load_pairs(new), "new", {}, load_baseline(old.path, "old"), confidence=0.95
        )
