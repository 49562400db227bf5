"""The gate's decision as Markdown: for a pull request comment or a CI job's summary page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kdeval.gate.decision import GateDecision, RuleResult, Verdict
from kdeval.report.ledger import ledger_summary
from kdeval.report.markdown_text import Block, code, compose, table, text
from kdeval.report.numbers import count

__all__ = ["append_step_summary", "gate_blocks", "gate_markdown"]

_SUMMARY_LIMIT = 200_000
_MARKS: dict[Verdict, str] = {
    "pass": "✅ pass",
    "fail": "❌ fail",
    "inconclusive": "❔ inconclusive",
}


def gate_markdown(decisions: Sequence[GateDecision], *, limit: int = _SUMMARY_LIMIT) -> str:
    """The decisions in at most `limit` characters; rules that had no room are counted."""
    blocks = [Block(head="## kdeval gate")]
    for decision in decisions:
        blocks.extend(gate_blocks(decision))
        blocks.extend(Block(head=text(f"{note}.")) for note in decision.notes)
    return compose(blocks, limit=limit)


def append_step_summary(path: str | Path, decisions: Sequence[GateDecision]) -> None:
    """Adds the decisions to the job summary that GitHub shows: the file $GITHUB_STEP_SUMMARY."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(gate_markdown(decisions))


def gate_blocks(decision: GateDecision) -> Iterator[Block]:
    """The verdict, then a row for each rule, those that do not pass first."""
    against = f"its teacher {code(decision.teacher)}"
    if decision.baseline is not None:
        against += f" and the baseline {code(decision.baseline)}"
    yield Block(head=f"**{_MARKS[decision.verdict]}**: {text(decision.summary)}, against {against}")
    if decision.looks is not None:
        yield Block(head=text(f"{decision.looks.text}."))
    order: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
    rules = sorted(decision.rules, key=lambda rule: order.index(rule.verdict))
    clustered = any(rule.clusters is not None for rule in rules)
    yield table(
        ["rule", "verdict", "evidence", "n in clusters" if clustered else "n"],
        [
            [text(rule.rule), _MARKS[rule.verdict], text(rule.evidence), _size(rule)]
            for rule in rules
        ],
        left=3,
        what="rules",
    )
    said = None if decision.ledger is None else ledger_summary(decision.ledger)
    if said is not None:
        yield Block(head=f"{text(said[:1].upper() + said[1:])}.")


def _size(rule: RuleResult) -> str:
    return count(rule.n) if rule.clusters is None else f"{count(rule.n)} in {count(rule.clusters)}"
