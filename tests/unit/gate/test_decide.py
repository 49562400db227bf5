"""Verdicts: which bound decides, and what an undecided rule says."""

from __future__ import annotations

from math import ceil

from kdeval.stats.means.paired import paired_difference, retention
from tests.unit.gate.judging import RETENTION, Flips, MakeRun, decide, only


def test_pass(run_of: MakeRun) -> None:
    """The lower one-sided bound lies above the limit; it is the end at confidence 2L - 1."""
    decision = decide(run_of(1000, both=880, lost=20, gained=10), RETENTION)
    rule = only(decision)
    assert (decision.verdict, rule.verdict, decision.exit_code) == ("pass", "pass", 0)
    assert rule.rule == "retention of exact, all: at least 95.0 %"
    assert rule.evidence == ("retention 98.9 %, at least 97.8 % with 95 % confidence; limit 95.0 %")
    assert rule.bound is not None
    assert rule.opposite_bound is not None
    assert rule.bound < 0.9889 < rule.opposite_bound
    assert (rule.n, rule.confidence, rule.samples_missing) == (1000, 0.95, None)


def test_bounds_are_the_ends_at_twice_the_level_minus_one(
    run_of: MakeRun, flip_scores: Flips
) -> None:
    """A rule's own level gives its own bound, recomputed from the scores."""
    run = run_of(300, both=250, lost=10, gained=5)
    teacher, student = flip_scores(300, both=250, lost=10, gained=5)
    for level in (0.9, 0.95, 0.99):
        rule = only(decide(run, {**RETENTION, "confidence": level}))
        expected = retention(teacher, student, confidence=2 * level - 1)
        assert (rule.bound, rule.opposite_bound) == (expected.low, expected.high)
        rule = only(decide(run, {"metric": "difference", "min": -0.05, "confidence": level}))
        difference = paired_difference(teacher, student, confidence=2 * level - 1)
        assert (rule.bound, rule.opposite_bound) == (difference.low, difference.high)


def test_fail(run_of: MakeRun) -> None:
    """The upper bound lies below the limit."""
    decision = decide(run_of(1000, both=750, lost=150, gained=10), RETENTION)
    rule = only(decision)
    assert (decision.verdict, rule.verdict, decision.exit_code) == ("fail", "fail", 1)
    assert rule.evidence == "retention 84.4 %, at most 86.5 % with 95 % confidence; limit 95.0 %"


def test_inconclusive_says_how_many_samples_are_missing(run_of: MakeRun) -> None:
    """Between the bounds: the missing number is enough at the same rates, and not idle."""
    decision = decide(run_of(200, both=175, lost=5, gained=1), RETENTION)
    rule = only(decision)
    assert (decision.verdict, rule.verdict, decision.exit_code) == (
        "inconclusive",
        "inconclusive",
        3,
    )
    assert rule.samples_missing is not None
    assert f"needs about {rule.samples_missing:,} more samples" in rule.evidence
    factor = ceil((200 + rule.samples_missing) / 200)
    enough = run_of(200 * factor, both=175 * factor, lost=5 * factor, gained=factor)
    assert decide(enough, RETENTION).verdict == "pass"


def test_no_number_of_samples_helps_an_estimate_below_the_limit(run_of: MakeRun) -> None:
    """At an estimate on the wrong side more samples would only make it fail."""
    rule = only(decide(run_of(100, both=85, lost=6, gained=0), RETENTION))
    assert rule.verdict == "inconclusive"
    assert rule.samples_missing is None
    assert "no number of samples would make it pass at the present estimate 93.4 %" in rule.evidence


def test_below_the_minimum_n_nothing_is_decided(run_of: MakeRun) -> None:
    """Neither a pass nor a fail on fewer samples than the policy asks for."""
    bad = only(decide(run_of(40, both=5, lost=30), RETENTION))
    assert bad.verdict == "inconclusive"
    default = "fewer than min_n: 50 (the default; set it in the policy)"
    assert f"40 samples, {default}" in bad.evidence
    good = run_of(49, both=49)
    rule = only(decide(good, {"metric": "difference", "min": -0.5}))
    assert (rule.verdict, rule.samples_missing) == ("inconclusive", 1)
    assert rule.evidence.endswith(f"49 samples, {default}; needs 1 more sample")
    own = {"metric": "difference", "min": -0.5, "min_n": 60}
    for written in (decide(good, own), decide(good, {**own, "min_n": None}, min_n=60)):
        assert only(written).evidence.endswith("fewer than min_n: 60; needs 11 more samples")
    assert only(decide(good, {"metric": "difference", "min": -0.5}, min_n=49)).verdict == "pass"
    assert only(decide(good, {"metric": "difference", "min": -0.5, "min_n": 49})).verdict == "pass"


def test_below_the_zero_flip_floor_it_cannot_pass(run_of: MakeRun) -> None:
    """A perfect student on too few samples: the floor is named."""
    rule = only(decide(run_of(50, both=45), RETENTION, min_n=20))
    assert rule.verdict == "inconclusive"
    assert rule.floor is not None
    assert 50 < rule.floor < 70
    assert (
        f"cannot pass at this n: {rule.floor} samples are needed even without a single flip"
        in rule.evidence
    )
    assert rule.samples_missing is not None
    assert rule.samples_missing >= rule.floor - 50


def test_a_teacher_at_chance_decides_nothing(run_of: MakeRun) -> None:
    """No ratio to a teacher that guesses, however good the student looks."""
    rule = only(decide(run_of(200, both=60, lost=40, gained=100), RETENTION))
    assert (rule.verdict, rule.estimate, rule.samples_missing) == ("inconclusive", None, None)
    assert "not clearly better than guessing" in rule.evidence


def test_any_fail_fails_and_any_inconclusive_is_no_pass(run_of: MakeRun) -> None:
    """The verdict over all rules is that of the worst."""
    run = run_of(200, both=175, lost=5, gained=1)
    passing = {"metric": "difference", "min": -0.2}
    failing = {"metric": "score", "min": 0.97}
    assert decide(run, passing).verdict == "pass"
    assert decide(run, passing, RETENTION).verdict == "inconclusive"
    assert decide(run, passing, RETENTION, failing).verdict == "fail"
    summary = decide(run, passing, RETENTION, failing).summary
    assert summary == "small: fail (3 rules: 1 pass, 1 fail, 1 inconclusive)"


def test_clusters_widen_the_bound(run_of: MakeRun) -> None:
    """Samples that share a document count as fewer."""
    alone = only(decide(run_of(400, both=340, lost=20, gained=5), RETENTION))
    documents = [str(index // 20) for index in range(400)]
    shared = only(decide(run_of(400, both=340, lost=20, gained=5, clusters=documents), RETENTION))
    assert shared.clusters == 20
    assert (shared.bound or 0) < (alone.bound or 0)
