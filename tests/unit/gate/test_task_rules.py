"""Rules over all tasks: macro averages, every task, and which of several slices pass."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from kdeval.compare.compute import compare_run
from kdeval.compare.selection import load_pairs
from kdeval.errors import ConfigError
from kdeval.records import Metric
from kdeval.stats import TaskScores, macro_difference, macro_retention, retention
from tests.unit.gate.judging import Flips, MakeRun, decide, only

MACRO = {"metric": "macro_retention", "min": 0.9}


@pytest.fixture
def tasks_of(make_run: MakeRun, suite_scores: type[Any], flip_scores: Flips) -> MakeRun:
    """A run of several suites: name to (n, both, lost, gained), or to scores of both."""

    def make(**suites: Any) -> Any:
        made = []
        for name, counts in suites.items():
            if len(counts) == 4:
                n, both, lost, gained = counts
                counts = flip_scores(n, both=both, lost=lost, gained=gained)
            teacher, student = counts
            made.append(suite_scores(name=name, teacher=teacher, students={"small": student}))
        return make_run(*made)

    return make


GOOD, FEW, BAD = (300, 260, 6, 4), (60, 55, 0, 0), (300, 180, 80, 0)


def test_macro_rules_are_the_statistics(tasks_of: MakeRun, flip_scores: Flips) -> None:
    """Bounds at the rule's level over the same tasks; n counts all their samples."""
    run = tasks_of(a=GOOD, b=FEW)
    tasks = []
    for name, (n, both, lost, gained) in {"a": GOOD, "b": FEW}.items():
        teacher, student = flip_scores(n, both=both, lost=lost, gained=gained)
        tasks.append(TaskScores(name=name, teacher=teacher, student=student))
    rule = only(decide(run, MACRO))
    expected = macro_retention(tasks, confidence=0.9)
    assert (rule.bound, rule.opposite_bound) == pytest.approx((expected.low, expected.high))
    assert (rule.verdict, rule.n, rule.suite, rule.slice) == ("pass", 360, None, None)
    assert rule.rule == "macro retention: at least 90.0 %"
    assert rule.evidence.endswith(
        "over 2 tasks, each counted once, by its suite's first score (exact)"
    )
    rule = only(decide(run, {"metric": "macro_difference", "min": -0.05}))
    assert rule.bound == pytest.approx(macro_difference(tasks, confidence=0.9).low)


def test_one_task_has_no_macro(tasks_of: MakeRun) -> None:
    """It would be the retention itself, and a rule says so."""
    run = tasks_of(a=GOOD)
    assert compare_run(run).students[0].overall is None
    with pytest.raises(ConfigError, match="has 1 task to average: use retention"):
        decide(run, MACRO)


def test_a_task_without_a_pair_holds_the_macro(tasks_of: MakeRun) -> None:
    """What is averaged would not be what was meant."""
    run = tasks_of(a=GOOD, b=FEW, c=([1.0] * 10, [None] * 10))
    overall = compare_run(run).students[0].overall
    assert [task.name for task in overall.tasks] == ["a", "b"]
    assert overall.left_out == ("c by exact (no complete pair)",)
    rule = only(decide(run, MACRO))
    assert rule.verdict == "inconclusive"
    assert "on the task c, 10 of 10 samples are missing (100.0 %)" in rule.evidence
    assert "not averaged: c by exact (no complete pair)" in rule.evidence
    assert only(decide(run, MACRO, max_missing=1)).verdict == "pass"


def test_the_task_that_lacks_most_counts(tasks_of: MakeRun) -> None:
    """6 of 60 missing in one task are 10 % of it, though under 2 % of the run."""
    scores = [1.0] * 60
    run = tasks_of(a=GOOD, b=(scores, [None] * 6 + scores[6:]))
    rule = only(decide(run, MACRO))
    assert rule.verdict == "inconclusive"
    assert "on the task b, 6 of 60 samples are missing (10.0 %)" in rule.evidence


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (Metric(name="exact", high=10.0), "not a score between 0 and 1"),
        (Metric(name="exact", higher_is_better=False), "lower is better"),
    ],
)
def test_only_shares_are_averaged(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any], metric: Metric, why: str
) -> None:
    scores = [0.5, 1.0] * 30
    suites = [suite_scores(name=n, teacher=scores, students={"small": scores}) for n in "ab"]
    run = make_run(*suites, parts=run_parts(metric=metric))
    with pytest.raises(ConfigError, match=rf"0 tasks to average \(left out: a by exact \({why}\)"):
        decide(run, MACRO)


def test_a_teacher_at_chance_is_averaged_and_named(tasks_of: MakeRun) -> None:
    run = tasks_of(a=GOOD, b=(200, 60, 40, 40))
    overall = compare_run(run).students[0].overall
    assert overall.at_chance == ("b",)
    assert (overall.worst_task, overall.worst) == (None, None)
    assert len(overall.tasks) == 2


@pytest.mark.parametrize("promise", ["asymptotic", "strict"])
def test_a_teacher_that_guesses_has_no_macro_retention(tasks_of: MakeRun, promise: str) -> None:
    """A student that guesses, too, would keep 100 % of it; no task is left to blame alone."""
    run = tasks_of(a=(300, 80, 70, 75), b=(300, 75, 75, 70))
    found = compare_run(run).students[0].overall
    reason = "the teacher is not clearly better than guessing (0.5), so a ratio to it says nothing"
    assert (found.retention.estimate, found.retention.reason) == (None, reason)
    assert found.difference.estimate == pytest.approx(0)
    rule = only(decide(run, {**MACRO, "min": 0.5}, promise=promise))
    assert (rule.verdict, rule.bound, rule.opposite_bound) == ("inconclusive", None, None)
    assert rule.evidence.startswith(f"macro retention unknown: {reason}")
    assert rule.evidence.endswith(
        "counted although the teacher is not clearly better than guessing there: a, b"
    )


def test_guessing_counts_as_the_tasks_do(
    tasks_of: MakeRun, make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """Above chance on average is enough; where a score of guessing is 0, it counts so."""
    rule = only(decide(tasks_of(a=GOOD, b=(200, 60, 40, 40)), {**MACRO, "min": 0.7}))
    assert rule.verdict == "pass"
    assert rule.evidence.endswith("not clearly better than guessing there: b")
    scores = [1.0, 0.0, 0.0, 0.0] * 50
    suites = [suite_scores(name=n, teacher=scores, students={"small": scores}) for n in "ab"]
    unguessed = make_run(
        *suites, parts=run_parts(metric=Metric(name="exact", low=0.0, high=1.0, chance=0.0))
    )
    assert only(decide(unguessed, {**MACRO, "min": 0.7})).verdict == "pass"
    assert only(decide(make_run(*suites), {**MACRO, "min": 0.7})).verdict == "inconclusive"


def test_the_worst_task(tasks_of: MakeRun, flip_scores: Flips) -> None:
    """Its lower bound is the smallest of all tasks' bounds."""
    overall = compare_run(tasks_of(a=GOOD, b=FEW, c=BAD)).students[0].overall
    assert overall.worst_task == "c"
    lows = [task.retention.low for task in overall.tasks]
    assert overall.worst.low == min(lows)
    n, both, lost, gained = FEW
    teacher, student = flip_scores(n, both=both, lost=lost, gained=gained)
    assert lows[1] == retention(teacher, student).low


def test_every_suite_and_every_task(tasks_of: MakeRun) -> None:
    """`suite: each` with "task=*": a suite of one task is a task; all must pass."""
    rule = {"metric": "retention", "suite": "each", "slice": "task=*", "min": 0.9}
    decision = decide(tasks_of(a=GOOD, b=GOOD, c=FEW), rule)
    assert [(r.suite, r.slice) for r in decision.rules] == [
        ("a", "all"),
        ("b", "all"),
        ("c", "all"),
    ]
    assert decision.verdict == "pass"
    assert decide(tasks_of(a=GOOD, b=BAD), rule).verdict == "fail"


def test_tasks_of_a_suite_are_slices(tasks_of: MakeRun, make_run: MakeRun) -> None:
    """A suite whose samples name tasks gets a slice for each, in the comparison and the gate."""
    run = tasks_of(a=GOOD)
    samples = pd.read_parquet(run.path / "samples.parquet")
    samples["task"] = ["sums" if i % 3 else "dates" for i in range(len(samples))]
    samples.to_parquet(run.path / "samples.parquet")
    table = load_pairs(run)["small", "a", "exact"]
    assert table.tasks == ("task=dates", "task=sums")
    comparison = compare_run(run).students[0]
    assert [cell.slice for cell in comparison.cells] == ["all", "task=dates", "task=sums"]
    assert [task.name for task in comparison.overall.tasks] == ["dates", "sums"]
    decision = decide(run, {"metric": "retention", "slice": "task=*", "min": 0.9})
    assert [r.n for r in decision.rules] == [100, 200]


def test_a_rule_on_slices_names_those_that_pass(tasks_of: MakeRun) -> None:
    """By Holm: the first that fails says which of the others are shown to pass."""
    rule = {"metric": "retention", "suite": "each", "min": 0.9}
    decision = decide(tasks_of(a=GOOD, b=BAD, c=GOOD, d=(30, 27, 0, 0)), rule, min_n=20)
    failed = next(r for r in decision.rules if r.verdict == "fail")
    assert (failed.suite, failed.shown) == ("b", ("a", "c"))
    assert failed.evidence.endswith(
        "of the 4 suites of this rule, shown to pass with 95 % confidence together (Holm): a, c"
    )
    # d passes on its own at 95 %, and not at the level that naming it among four takes
    assert next(r for r in decision.rules if r.suite == "d").verdict == "pass"
    assert all(r.shown is None for r in decision.rules if r is not failed)
    named = next(line for line in decision.ledger.lines if line.split == "Holm")
    assert named.wrong == "a suite is named as shown to pass although it does not"
    assert decision.ledger.lines[0].wrong.startswith("passes wrongly on some of 4 suites: ")
    assert (named.tests, named.error) == (4, pytest.approx(0.05))
    assert all(r.shown is None for r in decide(tasks_of(a=GOOD, b=GOOD), rule).rules)


def test_nothing_to_name(tasks_of: MakeRun) -> None:
    rule = {"metric": "retention", "suite": "each", "min": 0.9}
    decision = decide(tasks_of(a=BAD, b=BAD), rule)
    assert decision.rules[0].shown == ()
    assert "none is shown to pass once corrected for their number" in decision.rules[0].evidence
