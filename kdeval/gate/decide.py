"""A run against a policy: the verdict."""

from __future__ import annotations

from kdeval.compare.comparison import RunComparison
from kdeval.errors import ConfigError
from kdeval.gate.baseline import Baseline
from kdeval.gate.decision import GateDecision, RuleResult, Verdict, overall
from kdeval.gate.families import name_passing
from kdeval.gate.ledger_lines import gate_ledger
from kdeval.gate.looking import Looking
from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.missing import samples_missing, shown_by_as_many
from kdeval.gate.policy import GatePolicy
from kdeval.gate.resolve import Target, chosen_student, resolve
from kdeval.gate.rules.measure import measure
from kdeval.gate.wording import could_show_text, evidence_text, rule_text
from kdeval.store.run_directory import RunDirectory, RunManifest

__all__ = ["judge"]

_BASELINE = ("baseline_difference", "negative_flips")


def judge(
    run: RunDirectory,
    comparison: RunComparison,
    policy: GatePolicy,
    *,
    student: str | None = None,
    baseline: Baseline | None = None,
) -> GateDecision:
    """One student of `run` against `policy`, each rule at its own one-sided level.

    A rule passes when its one-sided bound lies on the right side of the limit, fails when the
    opposite bound lies on the wrong side, and is inconclusive otherwise or below its minimum n
    or above its largest share of missing samples. All rules must pass, so none needs a
    correction for being one of several.

    Args:
        run: the run; its pairs are read again, so that each bound has the rule's own level.
        comparison: of the same run.
        policy: the rules.
        student: the student to judge, unless the policy names one or the run has only one.
        baseline: what `baseline_difference` and `negative_flips` are measured against.

    Raises:
        UsageError: the student is unknown, or none was named among several.
        ConfigError: listing every rule that asks for what the run or the baseline does not have.
    """
    chosen = chosen_student(comparison, policy, student)
    looking = Looking.at(run, policy, chosen.student, baseline)
    slices = None if looking is None else looking.slices
    targets = resolve(policy, chosen, comparison.metrics, slices)
    judged = Judged.from_run(run, chosen, baseline)
    rules = None if looking is None else looking.recorded()
    if rules is None:
        rules = _judge_rules(judged, targets, policy, looking)
    return GateDecision(
        verdict=overall(rules),
        run=comparison.name,
        teacher=chosen.teacher,
        student=chosen.student,
        baseline=_baseline_used(rules, chosen.student, baseline),
        confidence=policy.confidence,
        rules=rules,
        header=comparison.header,
        looks=None if looking is None else looking.summary(overall(rules) != "inconclusive"),
        ledger=gate_ledger(
            policy,
            targets,
            [rule.design for rule in rules],
            named=any(rule.shown is not None for rule in rules),
        ),
        notes=_notes(run.manifest, rules),
    )


def _judge_rules(
    judged: Judged, targets: tuple[Target, ...], policy: GatePolicy, looking: Looking | None
) -> tuple[RuleResult, ...]:
    results: list[RuleResult] = []
    problems: list[str] = []
    for target in targets:
        try:
            results.append(_judge_rule(judged, target, policy, looking))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return tuple(results) if looking is not None else _named(judged, targets, policy, results)


def _named(
    judged: Judged, targets: tuple[Target, ...], policy: GatePolicy, results: list[RuleResult]
) -> tuple[RuleResult, ...]:
    """The results, those of a rule on several slices naming the slices that pass."""

    def passes(target: Target, level: float) -> bool:
        rule = target.rule
        measured = measure(judged, target, level, policy.promise_of(rule))
        most = policy.most_missing(rule)
        if most is not None and not measured.exact and measured.share_missing > most:
            return False
        return _verdict(target, measured, policy.least_n(rule)) == "pass"

    named: list[RuleResult] = []
    for place in dict.fromkeys(target.place for target in targets):
        members = [i for i, target in enumerate(targets) if target.place == place]
        family = [targets[i] for i in members]
        level = policy.level(family[0].rule)
        named.extend(name_passing(family, [results[i] for i in members], passes, level))
    return tuple(named)


def _notes(manifest: RunManifest, rules: tuple[RuleResult, ...]) -> tuple[str, ...]:
    """On suites that repeat prompts; a rule without a suite may rest on all of them."""
    judged = {rule.suite for rule in rules}
    repeating = [
        suite
        for suite in manifest.suites
        if suite.distinct_prompts is not None and judged & {suite.name, None}
    ]
    return tuple(note for suite in repeating for note in suite.notes)


def _baseline_used(
    rules: tuple[RuleResult, ...], student: str, baseline: Baseline | None
) -> str | None:
    if baseline is None or all(rule.metric not in _BASELINE for rule in rules):
        return None
    return f"{baseline.name}: {baseline.student_for(student)}"


def _judge_rule(
    judged: Judged, target: Target, policy: GatePolicy, looking: Looking | None
) -> RuleResult:
    known = None if looking is None else looking.decided(target)
    if known is not None:
        return known
    rule = target.rule
    level, min_n, most = policy.level(rule), policy.least_n(rule), policy.most_missing(rule)
    design, promise = None, policy.promise_of(rule)
    if looking is None:
        measured = measure(judged, target, level, promise)
    else:
        design = looking.design(judged, target, 1 - level, promise)
        level = looking.level(design)
        measured = looking.measured(judged, target, level, design, promise)
    interval = measured.interval
    incomplete = most is not None and not measured.exact and measured.share_missing > most
    verdict: Verdict = "inconclusive" if incomplete else _verdict(target, measured, min_n)
    if looking is not None:
        verdict = looking.trusted(verdict, measured)
    missing = detectable = None
    of_no_use = looking is not None and not (looking.last and looking.covered)
    if verdict == "inconclusive" and not incomplete and not of_no_use:
        missing = samples_missing(target, measured, level=level, min_n=min_n)
        if interval.n >= min_n:
            detectable = shown_by_as_many(target, measured, level=level)
    could_show = None if detectable is None else could_show_text(target, detectable)
    at_least = rule.direction == "min"
    return RuleResult(
        rule=rule_text(target),
        metric=rule.metric,
        suite=target.suite,
        slice=target.slice,
        score=target.score,
        quantile=(rule.quantile or "p50") if rule.metric == "latency_ratio" else None,
        limit=rule.limit,
        direction=rule.direction,
        estimate=interval.estimate,
        bound=interval.low if at_least else interval.high,
        opposite_bound=interval.high if at_least else interval.low,
        confidence=level,
        n=interval.n,
        min_n=min_n,
        clusters=interval.clusters,
        left_out=measured.left_out,
        max_missing=most,
        verdict=verdict,
        evidence=evidence_text(
            target,
            measured,
            verdict,
            policy=policy,
            level=level,
            incomplete=incomplete,
            samples_missing=missing,
            could_show=could_show,
        ),
        samples_missing=missing,
        method=interval.method,
        floor=measured.floor,
        design=design,
        look=None if looking is None else looking.look,
        promise=promise,
        above_chance=rule.above_chance,
        detectable=detectable,
        could_show=could_show,
    )


def _verdict(target: Target, measured: Measurement, min_n: int) -> Verdict:
    """Where the two bounds lie; a bound that is unknown decides nothing."""
    interval, limit = measured.interval, target.rule.limit
    if interval.n < min_n and not measured.exact:
        return "inconclusive"
    bound, opposite = interval.low, interval.high
    if target.rule.direction == "max":
        bound, opposite, limit = _negated(interval.high), _negated(interval.low), -limit
    if bound is not None and bound >= limit:
        return "pass"
    if opposite is not None and opposite < limit:
        return "fail"
    return "inconclusive"


def _negated(value: float | None) -> float | None:
    return None if value is None else -value
