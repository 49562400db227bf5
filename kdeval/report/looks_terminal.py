"""Looks at a growing run on a terminal: what was asked, what is decided, what was saved."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from kdeval.gate.decision import GateDecision, RuleResult, Verdict
from kdeval.report.numbers import count
from kdeval.report.plain_text import one_line

__all__ = ["look_renderables", "saved_text"]

_STYLES: dict[Verdict, str] = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
_WORDS: dict[Verdict, str] = {"pass": "pass", "fail": "fail", "inconclusive": "open"}


def look_renderables(
    decision: GateDecision, *, earlier: bool = False
) -> tuple[RenderableType, ...]:
    """A heading with the samples asked, then each rule that was open until then and its bounds."""
    return tuple(_look(decision, earlier))


def saved_text(decision: GateDecision) -> str:
    """How it ended, and how many samples did not have to be asked."""
    looks = decision.looks
    assert looks is not None
    if not looks.decided:
        more = (
            "add samples to the suites and run the same command"
            if looks.kind == "betting"
            else "what is missing stands in the rules"
        )
        return f"not decided by {count(looks.samples)} samples: {more}"
    left = looks.samples_planned - looks.samples
    saved = f"{count(left)} saved" if left else "none saved"
    return (
        f"decided at look {looks.look}: {count(looks.samples)} of "
        f"{count(looks.samples_planned)} samples asked of each model, {saved}"
    )


def _look(decision: GateDecision, earlier: bool) -> Iterator[RenderableType]:
    looks = decision.looks
    assert looks is not None
    of = f" of {looks.planned}" if looks.kind == "obrien_fleming" else ""
    head = (
        f"look {looks.look}{of}: {count(looks.samples)} of {count(looks.samples_planned)} samples"
    )
    yield Text(head + (", taken before" if earlier else ""), style="bold")
    new = [rule for rule in decision.rules if rule.look == looks.look]
    for rule in new:
        yield Text(f"  {_WORDS[rule.verdict]}  {_said(rule)}", _STYLES[rule.verdict])
    before = len(decision.rules) - len(new)
    if before:
        yield Text(f"  and {before} decided at an earlier look", style="dim")


def _said(rule: RuleResult) -> str:
    figures, _, _ = rule.evidence.partition("; ")
    return one_line(f"{rule.rule}: {figures}, n {count(rule.n)}")
