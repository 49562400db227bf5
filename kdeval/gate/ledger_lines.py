"""The ledger of a policy: its rules, their places and their looks as lines of error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdeval.gate.families import place_word
from kdeval.gate.ledger import ErrorLedger, ErrorLine, Split
from kdeval.gate.policy import GatePolicy, Promise
from kdeval.gate.quantity import counted
from kdeval.gate.resolve import Target
from kdeval.gate.wording import rule_text
from kdeval.stats.sequential.group_sequential import SequentialDesign

__all__ = ["gate_ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """One rule of the policy with all places where it is judged."""

    targets: tuple[Target, ...]
    error: float
    promise: Promise
    design: SequentialDesign | None


def gate_ledger(
    policy: GatePolicy,
    targets: Sequence[Target],
    designs: Sequence[SequentialDesign | None],
    *,
    named: bool,
) -> ErrorLedger:
    """The ledger of a policy judged at `targets`.

    Args:
        policy: the rules.
        targets: every rule at every place where it is judged.
        designs: how each target's error is spread over looks; None for a single look.
        named: whether slices are named that pass where others do not.
    """
    families = _families(policy, targets, designs)
    lines = [_pass_line(family) for family in families]
    fails = sum(family.error * len(family.targets) for family in families)
    lines.append(
        ErrorLine(
            wrong="a student that meets every limit fails",
            error=min(fails, 1.0),
            split="sum" if len(targets) > 1 else "none",
            tests=len(targets),
            promise=_weakest(families),
            reason="one rule that fails is enough, so the errors add up"
            if len(targets) > 1
            else "one rule",
        )
    )
    if named:
        several = [family for family in families if len(family.targets) > 1]
        widest = max(family.error for family in several)
        word = place_word([target for family in several for target in family.targets])
        lines.append(
            ErrorLine(
                wrong=f"a {word} is named as shown to pass although it does not",
                error=widest,
                split="Holm",
                tests=max(len(family.targets) for family in families),
                promise=_weakest(families),
                reason=f"{word}s of one rule are named by Holm's step-down procedure",
            )
        )
    return ErrorLedger(
        lines=tuple(lines),
        false_pass=max(family.error for family in families),
        false_fail=min(fails, 1.0),
    )


def _families(
    policy: GatePolicy, targets: Sequence[Target], designs: Sequence[SequentialDesign | None]
) -> tuple[_Family, ...]:
    by_place: dict[str, list[int]] = {}
    for index, target in enumerate(targets):
        by_place.setdefault(target.place, []).append(index)
    return tuple(
        _Family(
            targets=tuple(targets[i] for i in members),
            error=1 - policy.level(targets[members[0]].rule),
            promise=policy.promise_of(targets[members[0]].rule),
            design=next((designs[i] for i in members if designs[i] is not None), None),
        )
        for members in by_place.values()
    )


def _pass_line(family: _Family) -> ErrorLine:
    count = len(family.targets)
    first = family.targets[0]
    wrong = f"passes wrongly: {rule_text(first)}"
    if count > 1:
        whole = replace(first, slice=first.rule.slice, suite=first.rule.suite or first.suite)
        places = counted(count, place_word(family.targets))
        wrong = f"passes wrongly on some of {places}: {rule_text(whole)}"
    split: Split = "intersection-union" if count > 1 else "none"
    reason = (
        "all of them must pass, so each is tested at the full error" if count > 1 else "one test"
    )
    design = family.design
    if design is None or len(design.spent) < 2:
        looks: tuple[float, ...] = ()
    else:
        looks, split = design.spent, "looks"
        reason += f"; spent over {counted(len(looks), 'look')}"
    return ErrorLine(
        wrong=wrong,
        error=family.error,
        split=split,
        tests=count,
        promise=family.promise,
        reason=reason,
        looks=looks,
    )


def _weakest(families: Sequence[_Family]) -> Promise:
    strict = all(family.promise == "strict" for family in families)
    return "strict" if strict else "asymptotic"
