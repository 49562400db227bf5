"""Rules on several slices or suites: where some fail, which of them are shown to pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kdeval.compare.comparison import ALL
from kdeval.gate.decision import RuleResult
from kdeval.gate.quantity import confidence_text, counted
from kdeval.gate.resolve import Target
from kdeval.stats.means.several_tests import shown_by_holm

__all__ = ["name_passing", "place_word"]

Passes = Callable[[Target, float], bool]
"""Whether a rule passes at a target when judged at that one-sided level."""

_SHOWN = 8


def name_passing(
    targets: Sequence[Target], results: Sequence[RuleResult], passes: Passes, level: float
) -> tuple[RuleResult, ...]:
    """`results` of one rule, the first that does not pass naming the slices that do.

    "Every slice passes" needs no correction. "These slices pass" is a claim about each of them,
    picked after the fact; by Holm's procedure it names a wrong one with a chance of at most
    1 - level.
    """
    open_ones = [i for i, result in enumerate(results) if result.verdict != "pass"]
    if len(results) < 2 or not open_ones:
        return tuple(results)
    shown = shown_by_holm(
        lambda i, error: passes(targets[i], 1 - error), len(targets), error=1 - level
    )
    failing = [i for i in open_ones if results[i].verdict == "fail"]
    bearer = (failing or open_ones)[0]
    names = tuple(_name(targets[i]) for i in shown)
    said = f"of the {counted(len(results), place_word(targets))} of this rule, "
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        sure = f"with {confidence_text(level)} confidence together (Holm)"
        said += f"shown to pass {sure}: {', '.join(names[:_SHOWN])}{more}"
    else:
        said += "none is shown to pass once corrected for their number (Holm)"
    named = replace(results[bearer], evidence=f"{results[bearer].evidence}; {said}", shown=names)
    return tuple(named if i == bearer else result for i, result in enumerate(results))


def place_word(targets: Sequence[Target]) -> str:
    """What the places of one rule are called: slices, but suites where each is judged whole."""
    return "suite" if all(target.slice == ALL for target in targets) else "slice"


def _name(target: Target) -> str:
    if target.suites_in_run > 1:
        return str(target.suite) if target.slice == ALL else f"{target.suite} {target.slice}"
    return str(target.slice)
