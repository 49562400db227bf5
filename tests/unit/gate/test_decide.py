from __future__ import annotations

from collections.abc import Callable
from math import ceil, log
from typing import Any

import pandas as pd
import pytest

from kdeval.compare.compute import compare_run
from kdeval.errors import ConfigError, UsageError
from kdeval.gate.baseline import load_baseline
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision, RuleResult
from kdeval.gate.policy import GatePolicy
from kdeval.records import Metric
from kdeval.stats.paired import paired_difference, retention

MakeRun = Callable[..., Any]
Flips = Callable[..., tuple[list[float], list[float]]]


def policy(*rules: dict[str, object], **settings: object) -> GatePolicy:
    return GatePolicy.model_validate({"rules": list(rules), **settings})


def decide(run: Any, *rules: dict[str, object], **settings: Any) -> GateDecision:
    student, baseline = settings.pop("student", None), settings.pop("baseline", None)
    return judge(
        run, compare_run(run), policy(*rules, **settings), student=student, baseline=baseline
    )


def only(decision: GateDecision) -> RuleResult:
    (rule,) = decision.rules
    return rule


@pytest.fixture
def run_of(make_run: MakeRun, suite_scores: type[Any], flip_scores: Flips) -> MakeRun:
    """A run of one student with those counts of both right, lost and gained."""

    def make(n: int, **counts: Any) -> Any:
        parts = counts.pop("parts", None)
        more = {key: counts.pop(key) for key in list(counts) if key not in _COUNTS}
        teacher, student = flip_scores(n, **counts)
        return make_run(
            suite_scores(teacher=teacher, students={"small": student}, **more), parts=parts
        )

    return make


_COUNTS = ("both", "lost", "gained")
RETENTION = {"metric": "retention", "min": 0.95}


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
    assert "40 samples where the policy asks for 50" in bad.evidence
    good = run_of(49, both=49)
    rule = only(decide(good, {"metric": "difference", "min": -0.5}))
    assert (rule.verdict, rule.samples_missing) == ("inconclusive", 1)
    assert rule.evidence.endswith("49 samples where the policy asks for 50; needs 1 more sample")
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


def test_all_pairs_missing_is_inconclusive(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Without one complete pair there is no figure, and never a pass."""
    run = make_run(suite_scores(teacher=[1.0] * 5, students={"small": [None] * 5}))
    decision = decide(run, RETENTION, {"metric": "score", "min": 0.1})
    assert [rule.verdict for rule in decision.rules] == ["inconclusive"] * 2
    assert [rule.n for rule in decision.rules] == [0, 0]
    assert "5 samples left out (5 student errors)" in decision.rules[0].evidence


def test_missing_pairs_are_named(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Errors of either side drop the pair, and the evidence says so."""
    teacher = [None, None, *[1.0] * 98]
    student = [1.0, 1.0, None, *[1.0] * 97]
    run = make_run(suite_scores(teacher=teacher, students={"small": student}))
    rule = only(decide(run, {"metric": "difference", "min": -0.1}))
    assert (rule.n, rule.left_out) == (97, 3)
    assert rule.evidence.endswith("3 samples left out (2 teacher errors, 1 student error)")


def test_too_many_missing_pairs_decide_nothing(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Neither a pass nor a fail on the few samples that a student answered."""
    for rest in ([1.0] * 100, [0.0] * 100):
        students = {"small": [*rest, *[None] * 900]}
        run = make_run(suite_scores(teacher=[1.0] * 1000, students=students))
        rule = only(decide(run, RETENTION))
        assert (rule.verdict, rule.samples_missing, rule.left_out) == ("inconclusive", None, 900)
        assert rule.max_missing == 0.05
        assert "900 of 1,000 samples are missing (90.0 %); at most 5.0 % may be" in rule.evidence
        assert "no number of samples" not in rule.evidence
        decided = ["pass" if rest[0] else "fail"]
        for settings in ({"max_missing": 0.9}, {"max_missing": 1}):
            assert [r.verdict for r in decide(run, RETENTION, **settings).rules] == decided
            assert [r.verdict for r in decide(run, {**RETENTION, **settings}).rules] == decided


@pytest.mark.parametrize(("missing", "verdict"), [(50, "pass"), (51, "inconclusive")])
def test_the_largest_share_may_just_be_missing(
    make_run: MakeRun, suite_scores: type[Any], missing: int, verdict: str
) -> None:
    """Five percent are not more than five percent."""
    student = [None] * missing + [1.0] * (1000 - missing)
    run = make_run(suite_scores(teacher=[1.0] * 1000, students={"small": student}))
    assert only(decide(run, RETENTION)).verdict == verdict


def test_a_baseline_that_no_rule_asks_for_is_not_named(run_of: MakeRun) -> None:
    """The verdict does not rest on it."""
    run = run_of(100, both=100)
    decision = decide(run, {"metric": "score", "min": 0.5}, baseline=load_baseline(run.path))
    assert decision.baseline is None


@pytest.mark.parametrize("declared", [Metric(name="exact"), Metric(name="exact", high=None)])
@pytest.mark.parametrize("scores", [[1.0, 0.0], [0.25, 0.75]])
def test_points_written_as_a_whole_number_are_refused(
    make_run: MakeRun,
    suite_scores: type[Any],
    run_parts: type[Any],
    declared: Metric,
    scores: list[float],
) -> None:
    """A limit that every difference clears, or none, was meant as points."""
    suite = suite_scores(teacher=scores * 50, students={"small": scores * 50})
    run = make_run(suite, parts=run_parts(metric=declared))
    baseline = load_baseline(run.path)
    for metric in ("difference", "baseline_difference"):
        for limit, meant in ((-1, "-0.01 for 1 point, not -1"), (5, "0.05 for 5 points, not 5")):
            with pytest.raises(ConfigError) as caught:
                decide(run, {"metric": metric, "min": limit}, baseline=baseline)
            assert str(caught.value) == (
                f"rules.0 ({metric}): a difference of these scores lies between -1 and 1: "
                f"write {meant}"
            )
        assert decide(run, {"metric": metric, "min": -0.99}, baseline=baseline).verdict == "pass"


def test_a_limit_in_the_units_of_a_rating_is_fine(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """One step of a scale from 1 to 10 is no percentage; ten steps are no limit."""
    parts = run_parts(metric=Metric(name="exact", low=1.0, high=10.0))
    suite = suite_scores(teacher=[1.0, 9.0] * 50, students={"small": [2.0, 9.0, 1.0, 8.0] * 25})
    run = make_run(suite, parts=parts)
    assert decide(run, {"metric": "difference", "min": -1}).verdict == "pass"
    with pytest.raises(ConfigError, match=r"between -9 and 9, both excluded as a limit, not -9"):
        decide(run, {"metric": "difference", "min": -9})


def test_no_bound_lies_where_no_figure_can(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Few real-valued scores: the interval ends where the range of the metric does."""
    run = make_run(
        suite_scores(teacher=[0.9, 0.1, 0.8, 1.0], students={"small": [0.1, 0.0, 0.2, 0.0]})
    )
    rules = decide(
        run,
        {"metric": "difference", "min": -0.1, "confidence": 0.999},
        {"metric": "score", "min": 0.5, "confidence": 0.999},
        {"metric": "retention", "min": 0.5, "confidence": 0.99},
    ).rules
    ends = [(rule.bound, rule.opposite_bound) for rule in rules]
    assert ends[0][0] == -1.0
    assert ends[1][0] == 0.0
    assert all(low is None or low >= (-1, 0, 0)[i] for i, (low, _) in enumerate(ends))
    assert all(high is None or high <= (1, 1, 99)[i] for i, (_, high) in enumerate(ends))


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


@pytest.mark.parametrize(("limit", "verdict"), [(-0.02, "pass"), (0.004, "inconclusive")])
def test_difference_is_written_in_points(run_of: MakeRun, limit: float, verdict: str) -> None:
    """Student minus teacher, in points of percentage."""
    rule = only(decide(run_of(2000, both=1800, lost=20, gained=20),
                       {"metric": "difference", "min": limit}))  # fmt: skip
    assert rule.verdict == verdict
    assert rule.evidence.startswith("difference +0.0 points, at least -0.5 points")
    assert "limit -2.0 points" in rule.evidence or "limit +0.4 points" in rule.evidence


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


@pytest.mark.parametrize("metric", ["brier_difference", "log_loss_difference"])
@pytest.mark.parametrize(("limit", "verdict"), [(0.5, "pass"), (0.0001, "fail")])
def test_probabilities_gate_by_their_paired_difference(
    run_of: MakeRun, metric: str, limit: float, verdict: str
) -> None:
    """Ceilings: passing takes the upper bound, failing the lower."""
    run = run_of(400, both=380, lost=10, probabilities=(0.9, 0.7))
    rule = only(decide(run, {"metric": metric, "max": limit}))
    assert rule.verdict == verdict
    assert (rule.bound or 0) >= (rule.estimate or 0) >= (rule.opposite_bound or 0)


def test_no_probabilities_is_an_input_error(run_of: MakeRun) -> None:
    """A rule on what the run does not have is never a pass."""
    with pytest.raises(ConfigError, match=r"rules.0 \(brier_difference\): no sample of"):
        decide(run_of(100, both=100), {"metric": "brier_difference", "max": 0.1})


def test_latency(run_of: MakeRun, run_parts: type[Any]) -> None:
    """The probe's quantile ratio; p50 unless told."""
    latencies = {"big": [0.010 + i / 1e5 for i in range(100)],
                 "small": [0.004 + i / 1e5 for i in range(100)]}  # fmt: skip
    run = run_of(100, both=100, parts=run_parts(latencies=latencies))
    rule = only(decide(run, {"metric": "latency_ratio", "max": 0.5}))
    assert (rule.verdict, rule.quantile, rule.suite) == ("pass", "p50", None)
    assert rule.rule == "p50 latency, student / teacher: at most 0.50"
    assert only(decide(run, {"metric": "latency_ratio", "max": 0.2})).verdict == "fail"
    with pytest.raises(ConfigError, match="no latencies of both 'big' and 'small'"):
        decide(run_of(100, both=100), {"metric": "latency_ratio", "max": 0.5})


def test_a_fixed_price_is_compared_as_it_stands(run_of: MakeRun, run_parts: type[Any]) -> None:
    """No sampling error, so no interval and no minimum n; a limit met exactly is met."""
    prices = {"big": {"usd_per_request": 0.01}, "small": {"usd_per_request": 0.003}}
    run = run_of(10, both=10, parts=run_parts(prices=prices))
    rule = only(decide(run, {"metric": "cost_ratio", "max": 0.3}))
    assert rule.verdict == "pass"
    assert rule.evidence.startswith("cost ratio 0.30; limit 0.30")
    assert only(decide(run, {"metric": "cost_ratio", "max": 0.2})).verdict == "fail"


def test_costs_of_samples_have_an_n(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Recorded costs count as samples even where they are all the same, and missing ones show."""
    rule = {"metric": "cost_ratio", "max": 0.2}

    def run_with(known: int) -> Any:
        run = make_run(suite_scores(teacher=[1.0] * 300, students={"small": [1.0] * 300}))
        pairs = pd.read_parquet(run.path / "pairs.parquet")
        pairs["teacher_cost_usd"] = 0.01
        pairs["student_cost_usd"] = [0.001] * known + [None] * (300 - known)
        pairs.to_parquet(run.path / "pairs.parquet")
        return run

    few = only(decide(run_with(30), rule, max_missing=1))
    assert (few.verdict, few.n, few.min_n, few.samples_missing) == ("inconclusive", 30, 50, 20)
    assert "cost ratio 0.10" in few.evidence
    assert "30 requests where the policy asks for 50" in few.evidence
    assert "costs known of 30 of 300 requests" in few.evidence
    some = only(decide(run_with(100), rule))
    assert (some.verdict, some.left_out) == ("inconclusive", 200)
    assert "200 of 300 requests are missing (66.7 %); at most 5.0 % may be" in some.evidence
    most = only(decide(run_with(290), rule))
    assert (most.verdict, most.n) == ("pass", 290)
    assert "costs known of 290 of 300 requests" in most.evidence


def test_an_unknown_price_is_an_input_error(run_of: MakeRun, run_parts: type[Any]) -> None:
    """Unknown is not free."""
    run = run_of(10, both=10, parts=run_parts(prices={"big": {"usd_per_request": 0.01}}))
    with pytest.raises(ConfigError, match=r"the cost ratio is unknown: the cost of small"):
        decide(run, {"metric": "cost_ratio", "max": 0.3})
    with pytest.raises(ConfigError, match=r"the cost ratio is unknown: give prices"):
        decide(run_of(10, both=10), {"metric": "cost_ratio", "max": 0.3})


def test_error_share_is_exact(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Clopper-Pearson on the student's requests, with the floor of an errorless run."""
    run = make_run(suite_scores(teacher=[1.0] * 400, students={"small": [1.0] * 400}))
    assert only(decide(run, {"metric": "error_share", "max": 0.01})).verdict == "pass"
    short = make_run(suite_scores(teacher=[1.0] * 200, students={"small": [1.0] * 200}))
    rule = only(decide(short, {"metric": "error_share", "max": 0.01}))
    assert (rule.verdict, rule.floor) == ("inconclusive", ceil(log(0.05) / log(0.99)))
    bad = make_run(suite_scores(teacher=[1.0] * 200, students={"small": [None] * 20 + [1.0] * 180}))
    assert only(decide(bad, {"metric": "error_share", "max": 0.01})).verdict == "fail"


def test_clusters_widen_the_bound(run_of: MakeRun) -> None:
    """Samples that share a document count as fewer."""
    alone = only(decide(run_of(400, both=340, lost=20, gained=5), RETENTION))
    documents = [str(index // 20) for index in range(400)]
    shared = only(decide(run_of(400, both=340, lost=20, gained=5, clusters=documents), RETENTION))
    assert shared.clusters == 20
    assert (shared.bound or 0) < (alone.bound or 0)


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


def test_an_infinite_log_loss_decides_nothing(run_of: MakeRun) -> None:
    """A reference at probability 0 has no finite mean: the Brier difference is pointed to."""
    run = run_of(100, both=100, probabilities=(0.9, 0.0))
    decision = decide(
        run,
        {"metric": "log_loss_difference", "max": 0.1},
        {"metric": "brier_difference", "max": 0.1},
    )
    assert [rule.verdict for rule in decision.rules] == ["inconclusive", "fail"]
    assert "100 references at probability 0" in decision.rules[0].evidence
    assert "use brier_difference" in decision.rules[0].evidence
