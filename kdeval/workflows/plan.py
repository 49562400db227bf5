"""`kdeval plan`: how many samples a policy needs before anyone pays for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kdeval.compare.comparison import ALL, Comparison
from kdeval.compare.compute import compare_run
from kdeval.errors import UsageError
from kdeval.gate.baseline import load_baseline
from kdeval.gate.planning.plan import Assumptions, PlannedSpend, RulePlan, SamplePlan
from kdeval.gate.planning.rules import PlannedRule, power_at, rules_assumed, rules_in_pilot
from kdeval.gate.policy import load_policy
from kdeval.latency.figures import paired_latencies
from kdeval.report.plan_terminal import plan_renderables
from kdeval.report.strict_json import write_json
from kdeval.run.header import build_header
from kdeval.store.run_directory import RunDirectory

__all__ = ["make_plan", "plan_from_assumptions", "plan_from_run", "show_plan"]

_PILOT = (
    "The pilot's figures are taken as they are: where the true ones are worse, more samples are "
    "needed than this. A pilot's own samples may count towards the number."
)
_ASSUMED = "Nothing is measured here: the numbers hold in the world that was assumed."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    """Of one sample, asked of teacher and student; None: unknown."""

    usd: float | None
    seconds: float | None


def make_plan(
    policy: Path,
    *,
    run: Path | None,
    student: str | None,
    baseline: Path | None,
    assumed: Mapping[str, Any],
    power: float,
    json_file: Path | None = None,
) -> SamplePlan:
    """The plan from a pilot run or from assumptions, written as JSON where that is asked for.

    Args:
        policy: gate.yaml.
        run: the pilot; None: `assumed` counts.
        student: of the pilot.
        baseline: with a pilot, for rules on a baseline.
        assumed: fields of `Assumptions`, None where nothing was said.
        power: with which each rule shall pass.
        json_file: where to write it.

    Raises:
        UsageError: neither or both were given.
        KdevalError: something cannot be read, or does not fit.
    """
    given = {name: value for name, value in assumed.items() if value is not None}
    if run is not None:
        if given:
            said = ", ".join(_option(name) for name in given)
            raise UsageError(f"--run takes the figures from the pilot: leave out {said}")
        plan = plan_from_run(policy, run, power=power, student=student, baseline=baseline)
    else:
        for option, value in (("--student", student), ("--baseline", baseline)):
            if value is not None:
                raise UsageError(f"{option} goes with --run")
        missing = [_option(name) for name in ("teacher_score", "retention") if name not in given]
        if missing:
            raise UsageError(
                f"say what you expect with {' and '.join(missing)} "
                "(such as --teacher-score 0.9 --retention 0.98), or name a pilot with --run"
            )
        plan = plan_from_assumptions(policy, Assumptions(**given), power=power)
    if json_file is not None:
        write_json(plan, json_file, "--json")
    return plan


def _option(name: str) -> str:
    return "--share" if name == "shares" else "--" + name.replace("_", "-")


def plan_from_assumptions(policy: Path, world: Assumptions, *, power: float) -> SamplePlan:
    """The plan in a world that the user describes.

    Raises:
        ConfigError: the policy is invalid, or the world impossible.
    """
    rules = rules_assumed(load_policy(policy), world, power)
    _check_shares(world, [rule.plan.slice for rule in rules])
    return SamplePlan(
        policy=policy.name,
        power=power,
        all_pass=_all(rules),
        run=None,
        student=None,
        assumptions=world,
        rules=tuple(rule.plan for rule in rules),
        spend=_spends([rule.plan for rule in rules], {}, _Price(usd=None, seconds=None)),
        notes=(_ASSUMED,),
        header=build_header(seed=0, models={}, suites={}),
    )


def _check_shares(world: Assumptions, slices: Sequence[str | None]) -> None:
    """Refuses a share of a slice that no rule is on: it would change nothing."""
    known = sorted({name for name in slices if name is not None and name != ALL})
    for name in world.shares or {}:
        if name not in known:
            there = " or ".join(f'"{found}=0.1"' for found in known)
            raise UsageError(
                f"--share {name}: no rule of the policy is on the slice {name!r}; "
                + (f"write such as {there}, as the rules name it" if known else "none has a slice")
            )


def plan_from_run(
    policy: Path,
    run: Path,
    *,
    power: float,
    student: str | None = None,
    baseline: Path | None = None,
) -> SamplePlan:
    """The plan in a world like that of a pilot run.

    Raises:
        KdevalError: the run or the policy cannot be read, or do not fit.
    """
    opened = RunDirectory.open(run)
    comparison = compare_run(opened)
    against = None if baseline is None else load_baseline(baseline, None)
    name, rules = rules_in_pilot(
        opened, comparison, load_policy(policy), power, student=student, baseline=against
    )
    chosen = next(item for item in comparison.students if item.student == name)
    asked = {cell.suite: cell.n + cell.missing.total for cell in chosen.cells if cell.slice == ALL}
    plans = [rule.plan for rule in rules]
    return SamplePlan(
        policy=policy.name,
        power=power,
        all_pass=_all(rules),
        run=comparison.name,
        student=name,
        assumptions=None,
        rules=tuple(plans),
        spend=_spends(plans, asked, _price(opened, chosen)),
        notes=(_PILOT,),
        header=comparison.header,
    )


def show_plan(plan: SamplePlan, console: Console | None = None) -> None:
    """Prints the tables."""
    console = console or Console(highlight=False)
    for item in plan_renderables(plan):
        console.print(item)


def _all(rules: Sequence[PlannedRule]) -> float | None:
    """Probability that all rules pass with the samples that the plan asks for; None: unknown."""
    counted = [rule for rule in rules if rule.plan.of_suite is not None]
    if not counted or any(rule.plan.needed is None for rule in rules):
        return None
    if any(rule.plan.share is None for rule in rules):
        return None
    most = {rule.plan.suite: 0 for rule in counted}
    for rule in counted:
        most[rule.plan.suite] = max(most[rule.plan.suite], rule.plan.of_suite or 0)
    missed = sum(
        1 - power_at(rule, most.get(rule.plan.suite) or max(most.values())) for rule in counted
    )
    return max(0.0, 1 - missed)


def _price(run: RunDirectory, student: Comparison) -> _Price:
    cost = student.cost
    usd = None
    if cost is not None and cost.teacher_usd is not None and cost.student_usd is not None:
        usd = cost.teacher_usd + cost.student_usd
    latencies = paired_latencies(run, student.student)
    seconds = None
    if latencies is not None:
        seconds = float(np.mean(latencies.teacher) + np.mean(latencies.student))
    return _Price(usd=usd, seconds=seconds)


def _spends(
    rules: Sequence[RulePlan], asked: dict[str, int], price: _Price
) -> tuple[PlannedSpend, ...]:
    """What each suite takes; rules over the whole run count where there is one suite."""
    only = next(iter(asked)) if len(asked) == 1 else None
    by_suite: dict[str | None, list[RulePlan]] = {}
    for rule in rules:
        by_suite.setdefault(rule.suite or only, []).append(rule)
    found = []
    for suite, group in by_suite.items():
        counted = [(rule.of_suite, rule) for rule in group if rule.of_suite is not None]
        if not counted:
            continue
        samples, binding = max(counted, key=lambda item: item[0])
        have = asked.get(suite, 0) if suite is not None else sum(asked.values())
        more = max(0, samples - have)
        found.append(
            PlannedSpend(
                suite=suite,
                samples=samples,
                asked=have,
                binding=binding.rule,
                usd=None if price.usd is None else price.usd * more,
                seconds=None if price.seconds is None else price.seconds * more,
            )
        )
    return tuple(found)
