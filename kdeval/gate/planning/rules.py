"""Every rule of a policy with the samples it needs, in a pilot's world or an assumed one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kdeval.compare.comparison import ALL, Cell, RunComparison
from kdeval.errors import ConfigError
from kdeval.gate.baseline import Baseline
from kdeval.gate.measurement import Judged
from kdeval.gate.planning.assumed import needs_assumed
from kdeval.gate.planning.needs import Needs
from kdeval.gate.planning.pilot import needs_in_pilot
from kdeval.gate.planning.plan import Assumptions, RulePlan
from kdeval.gate.policy import GatePolicy
from kdeval.gate.quantity import enough_digits, number_text, unit_of
from kdeval.gate.resolve import Target, chosen_student, resolve
from kdeval.gate.rules.measure import measure
from kdeval.gate.wording import rule_text
from kdeval.stats.planning.pairs import detectable_limit
from kdeval.stats.planning.shares import with_looks
from kdeval.store.run_directory import RunDirectory

__all__ = ["PlannedRule", "power_at", "rules_assumed", "rules_in_pilot"]

_NO_LOOKS = ("latency_ratio", "cost_ratio", "error_share")
_PROBED = ("latency_ratio",)
_LEAST_POWER, _MOST_POWER = 0.05, 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRule:
    """A rule's plan, with what it was made from; `needs` is None where it cannot be planned."""

    plan: RulePlan
    needs: Needs | None


def rules_assumed(policy: GatePolicy, world: Assumptions, power: float) -> tuple[PlannedRule, ...]:
    """Every rule of `policy` in the world that the user describes.

    Raises:
        ConfigError: the world is impossible: scores that are no shares, or too many flips.
    """
    found = []
    for index, rule in enumerate(policy.rules):
        target = Target(
            place=f"rules.{index} ({rule.metric})",
            rule=rule,
            suite=rule.suite,
            slice=None if rule.whole_run or rule.macro else rule.slice,
            score=rule.score,
            metric=None,
            share=world.sd is None,
            suites_in_run=1 if rule.suite is None else 2,
        )
        try:
            strict = policy.promise_of(rule) == "strict"
            needs = needs_assumed(rule, policy.level(rule), world, strict=strict)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        share: float | None = 1.0
        if target.slice not in (None, ALL):
            share = (world.shares or {}).get(str(target.slice))
        found.append(_planned(target, policy, needs, power, n=None, share=share))
    return tuple(found)


def rules_in_pilot(
    run: RunDirectory,
    comparison: RunComparison,
    policy: GatePolicy,
    power: float,
    *,
    student: str | None = None,
    baseline: Baseline | None = None,
) -> tuple[str, tuple[PlannedRule, ...]]:
    """The student, and every rule of `policy` in a world like that of `run`.

    Raises:
        UsageError: the student is unknown, or none was named among several.
        ConfigError: listing every rule that names what the run does not have.
    """
    chosen = chosen_student(comparison, policy, student)
    judged = Judged.from_run(run, chosen, baseline)
    found = []
    for target in resolve(policy, chosen, comparison.metrics):
        rule, level = target.rule, policy.level(target.rule)
        n: int | None = None
        share: float | None = 1.0
        try:
            measured = measure(judged, target, level, policy.promise_of(rule))
        except ConfigError as error:
            needs: Needs | str = error.problems[0].removeprefix(f"{target.place}: ")
        else:
            n = measured.interval.n
            needs = needs_in_pilot(rule.metric, rule.direction, rule.limit, level, measured)
        if target.slice not in (None, ALL):
            share = _share(chosen.cells, target)
        found.append(_planned(target, policy, needs, power, n=n, share=share))
    return chosen.student, tuple(found)


def _share(cells: Sequence[Cell], target: Target) -> float | None:
    """Of the suite's samples, those in the slice."""
    counts = {
        cell.slice: cell.n + cell.missing.total
        for cell in cells
        if (cell.suite, cell.metric) == (target.suite, target.score)
    }
    whole = counts.get(ALL, 0)
    return counts.get(str(target.slice), 0) / whole if whole else None


def _planned(
    target: Target,
    policy: GatePolicy,
    needs: Needs | str,
    power: float,
    *,
    n: int | None,
    share: float | None,
) -> PlannedRule:
    rule, level, min_n = target.rule, policy.level(target.rule), policy.least_n(target.rule)
    if isinstance(needs, str):
        return PlannedRule(plan=_without_number(target, policy, n, share, needs), needs=None)
    tested = needs.needed(rule.limit, power)
    needed = None if tested is None else max(tested, needs.floor or 0, min_n)
    least = None if needs.least is None else needs.least(rule.limit, power)
    looks = None
    asymptotic = policy.promise_of(rule) == "asymptotic"
    if tested is not None and asymptotic and rule.metric not in _NO_LOOKS:
        looks = with_looks(max(tested, needs.floor or 0), level=level, power=power)
    plan = RulePlan(
        rule=rule_text(target),
        metric=rule.metric,
        suite=target.suite,
        slice=target.slice,
        limit=rule.limit,
        direction=rule.direction,
        confidence=level,
        promise=policy.promise_of(rule),
        figure=needs.figure,
        n=n,
        share=share,
        needed=needed,
        least=None if least is None else max(least, needs.floor or 0, min_n),
        floor=needs.floor,
        min_n=min_n,
        of_suite=_of_suite(target, needed, share),
        detectable=None if n is None else _detectable(needs, n, power),
        expected_with_looks=None if looks is None else max(looks[0], min_n),
        most_with_looks=None if looks is None else max(looks[1], min_n),
        assumed=needs.assumed,
        reason=None if needed is not None else _wrong_side(target, needs),
        score_is_share=target.share,
    )
    return PlannedRule(plan=plan, needs=needs)


def _without_number(
    target: Target, policy: GatePolicy, n: int | None, share: float | None, reason: str
) -> RulePlan:
    rule, level, min_n = target.rule, policy.level(target.rule), policy.least_n(target.rule)
    return RulePlan(
        rule=rule_text(target),
        metric=rule.metric,
        suite=target.suite,
        slice=target.slice,
        limit=rule.limit,
        direction=rule.direction,
        confidence=level,
        promise=policy.promise_of(rule),
        figure=None,
        n=n,
        share=share,
        needed=None,
        least=None,
        floor=None,
        min_n=min_n,
        of_suite=None,
        detectable=None,
        expected_with_looks=None,
        most_with_looks=None,
        assumed="",
        reason=reason,
    )


def _of_suite(target: Target, needed: int | None, share: float | None) -> int | None:
    """Slices come as the suite has them; a latency is probed on requests of its own."""
    if needed is None or not share or target.rule.metric in _PROBED:
        return None
    return math.ceil(needed / share)


def _detectable(needs: Needs, n: int, power: float) -> float | None:
    return detectable_limit(
        lambda limit: needs.needed(limit, power), n, figure=needs.figure, furthest=needs.furthest
    )


def _wrong_side(target: Target, needs: Needs) -> str:
    unit = unit_of(target.rule.metric, share=target.share)
    digits = enough_digits(target.rule.limit, (needs.figure,), unit)
    figure = number_text(needs.figure, unit, digits)
    limit = number_text(target.rule.limit, unit, digits)
    return f"no number of samples makes {figure} pass a limit of {limit}"


def power_at(rule: PlannedRule, samples: int) -> float:
    """Probability that the rule passes with so many samples of its suite."""
    plan, needs = rule.plan, rule.needs
    if needs is None:
        return 0.0
    n = samples if plan.metric in _NO_LOOKS else math.floor(samples * (plan.share or 0.0))
    if n < max(plan.floor or 0, plan.min_n):
        return 0.0

    def enough(power: float) -> bool:
        count = needs.needed(plan.limit, power)
        return count is not None and count <= n

    if not enough(_LEAST_POWER):
        return 0.0
    low, high = _LEAST_POWER, _MOST_POWER
    if enough(high):
        return high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low
