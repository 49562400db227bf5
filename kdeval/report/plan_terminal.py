"""A plan for a terminal: what each rule needs, what that takes, and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdeval.gate.planning.plan import Assumptions, PlannedSpend, RulePlan, SamplePlan
from kdeval.gate.quantity import enough_digits, unit_of
from kdeval.report.numbers import UNKNOWN, count, counted, number
from kdeval.report.plain_text import one_line

__all__ = ["plan_renderables"]


def plan_renderables(plan: SamplePlan) -> Iterator[RenderableType]:
    """A table of the rules, those that need the most first; then the spend and the notes."""
    yield Text(one_line(_title(plan)), style="bold")
    yield Text()
    yield _rules(plan)
    yield from _remarks(plan)
    yield Text()
    hopeless = [rule for rule in plan.undecidable if rule.figure is not None]
    if hopeless:
        yield Text("as expected the policy cannot pass, however many samples:", style="bold")
    for rule in sorted(plan.undecidable, key=lambda rule: rule.figure is None):
        yield Text(one_line(f"without a number: {rule.rule}: {rule.reason}"), style="yellow")
    for spend in plan.spend:
        said = _spend(plan, spend)
        said = f"for its other rules, {said}" if hopeless else said
        yield Text(one_line(said), style="bold")
    if plan.all_pass is not None and len(plan.rules) > 1:
        yield Text(
            f"with these samples all {len(plan.rules)} rules pass together with a probability of "
            f"{_at_least(plan.all_pass)}"
        )
    for note in plan.notes:
        yield Text(one_line(f"note: {note}"), style="dim")


def _title(plan: SamplePlan) -> str:
    head = (
        f"{plan.policy}: samples with which each rule passes with {_percent(plan.power)} "
        "probability"
    )
    if plan.assumptions is None:
        return f"{head}, if {plan.student} is as in {plan.run}"
    return f"{head}, if {_world(plan.assumptions)}"


def _world(world: Assumptions) -> str:
    parts = [
        f"the teacher scores {_percent(world.teacher_score)}",
        f"the student keeps {_percent(world.retention)} of that",
    ]
    if world.disagreement is not None:
        parts.append(f"{_percent(world.disagreement)} of the samples flip")
    if world.sd is not None:
        parts.append(f"scores differ with a standard deviation of {world.sd:g}")
    if world.cluster_size > 1:
        parts.append(
            f"clusters of {world.cluster_size:g} samples correlate by {world.icc:g} within"
        )
    return ", ".join(parts[:-1]) + f" and {parts[-1]}"


def _rules(plan: SamplePlan) -> Table:
    pilot = plan.run is not None
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("rule", overflow="fold", min_width=16)
    for name in (*(("now",) if pilot else ()), "needs", "at least"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("five looks", justify="right", no_wrap=True)
    table.add_column("of the suite", justify="right", no_wrap=True)
    if pilot:
        table.add_column("now shows", justify="right", no_wrap=True)
    for rule in sorted(plan.rules, key=_most_first):
        looks = UNKNOWN
        if rule.expected_with_looks is not None:
            looks = f"{count(rule.expected_with_looks)} to {count(rule.most_with_looks)}"
        cells = [
            *((count(rule.n),) if pilot else ()),
            _needs(rule),
            count(rule.floor),
            looks,
            count(rule.of_suite),
            *((_shows(rule),) if pilot else ()),
        ]
        table.add_row(Text(one_line(rule.rule)), *cells)
    return table


def _most_first(rule: RulePlan) -> tuple[bool, int]:
    return rule.needed is not None, -(rule.of_suite or rule.needed or 0)


def _needs(rule: RulePlan) -> str:
    if rule.needed is None:
        return UNKNOWN
    if rule.least is None or rule.least == rule.needed:
        return count(rule.needed)
    return f"{count(rule.least)} to {count(rule.needed)}"


def _shows(rule: RulePlan) -> str:
    if rule.detectable is None:
        return UNKNOWN
    unit = unit_of(rule.metric, share=rule.score_is_share)
    return number(rule.detectable, unit, enough_digits(rule.limit, (), unit))


def _remarks(plan: SamplePlan) -> Iterator[Text]:
    lines = ["at least: below it the rule cannot pass even without a single flip"]
    lines.append("five looks: asked on average, and at most, with `kdeval run --until-decided`")
    if any(rule.least is not None for rule in plan.rules):
        lines.append(
            "needs: from the fewest flips that the scores allow to the most; say --disagreement "
            "to narrow it"
        )
    if plan.run is not None:
        lines.append("now shows: the limit that the pilot's n could show with that probability")
    unknown = [rule for rule in plan.rules if rule.needed is not None and rule.share is None]
    if unknown:
        lines.append(
            f"of the suite: unknown for {unknown[0].slice}: say which part of the suite it is "
            f'with --share "{unknown[0].slice}=0.1"'
        )
    yield from (Text(line, style="dim") for line in lines)


def _spend(plan: SamplePlan, spend: PlannedSpend) -> str:
    where = "" if spend.suite is None else f"{spend.suite}: "
    said = f"{where}{counted(spend.samples, 'sample')}"
    if plan.run is not None:
        said += f", {count(spend.more)} more than now" if spend.more else ", which are there now"
    if spend.more and spend.usd is not None:
        said += f"; about ${spend.usd:,.2f}"
    if spend.more and spend.seconds is not None:
        said += f"; {_duration(spend.seconds)} one request after the other"
    return f"{said}; the binding rule: {spend.binding}"


def _duration(seconds: float) -> str:
    for size, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.1f} seconds"


def _at_least(probability: float) -> str:
    """Never rounded up, and never to certainty."""
    if probability > 0.99:
        return "more than 99 %"
    return f"at least {math.floor(100 * probability + 1e-9)} %"


def _percent(value: float) -> str:
    return number(value, "percent", enough_digits(value, (), "percent")).replace(".0 %", " %")
