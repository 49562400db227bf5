"""The verdict in a sentence, the evidence for it, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kdeval.compare.comparison import ALL, Cell, Comparison
from kdeval.gate.decision import GateDecision, RuleResult
from kdeval.report.document import ReportDocument
from kdeval.report.left_out import left_out_reasons
from kdeval.report.noise_words import warning_lines
from kdeval.report.numbers import counted, difference_unit, interval_text, score_unit

__all__ = ["Statement", "VerdictView", "verdict_view"]

_ORDER = ("fail", "inconclusive", "pass")
_MOST_EVIDENCE = 3


class Statement(NamedTuple):
    """What is spoken of, and what is said of it."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """What stands at the top of a student's report.

    Attributes:
        outcome: of the gate; "unjudged" without a policy.
        sentence: the verdict.
        evidence: at most three rules or measurements that carry it.
        missing: what would be needed to know more; empty when nothing is.
        others: the gate's rules that are not in the evidence, those that fail first.
    """

    outcome: Literal["pass", "fail", "inconclusive", "unjudged"]
    sentence: str
    evidence: tuple[Statement, ...]
    missing: tuple[Statement, ...]
    others: tuple[RuleResult, ...]


def verdict_view(document: ReportDocument, student: Comparison) -> VerdictView:
    """Of one student."""
    decision = document.decision(student.student)
    missing = tuple(_missing(document, student, decision))
    if decision is None:
        return VerdictView(
            outcome="unjudged",
            sentence=f"{student.student} was measured against {student.teacher}, not judged.",
            evidence=tuple(_measurements(document, student)),
            missing=(
                Statement("Verdict", "name a policy with --policy to be given one."),
                *missing,
            ),
            others=(),
        )
    rules = sorted(decision.rules, key=lambda rule: rule.verdict != decision.verdict)
    leading = [rule for rule in rules if rule.verdict == decision.verdict]
    shown = min(len(leading), _MOST_EVIDENCE)
    evidence = [_sentence(rule) for rule in leading[:shown]]
    if len(leading) > shown:
        evidence.append(Statement(f"{len(leading) - shown} more", "in the table of rules."))
    if decision.looks is not None:
        evidence.append(Statement("Looks", f"{decision.looks.text}."))
    return VerdictView(
        outcome=decision.verdict,
        sentence=_verdict(decision, student),
        evidence=tuple(evidence),
        missing=missing,
        others=tuple(sorted(rules[shown:], key=lambda rule: _ORDER.index(rule.verdict))),
    )


def _verdict(decision: GateDecision, student: Comparison) -> str:
    names = f"{student.student} may"
    total = len(decision.rules)
    count = sum(rule.verdict == decision.verdict for rule in decision.rules)
    if decision.verdict == "pass":
        held = {1: "the one rule holds", 2: "both rules hold"}.get(total, f"all {total} rules hold")
        return f"{names} replace {student.teacher}: {held}."
    if decision.verdict == "fail":
        failing = "fails" if count == 1 else "fail"
        return f"{names} not replace {student.teacher}: {count} of {total} rules {failing}."
    wanting = "needs" if count == 1 else "need"
    return (
        f"Whether {names} replace {student.teacher} is open: none of {total} rules fails, "
        f"{count} {wanting} more evidence."
        if total > 1
        else f"Whether {names} replace {student.teacher} is open: the rule needs more evidence."
    )


def _sentence(rule: RuleResult) -> Statement:
    return Statement(_capital(rule.rule), f"{rule.evidence}; n = {rule.n:,}.")


def _capital(text: str) -> str:
    """With a capital, unless it begins with a name that is written small."""
    return text[:1].upper() + text[1:]


def _measurements(document: ReportDocument, student: Comparison) -> Iterator[Statement]:
    wholes = student.wholes
    for cell in wholes[:_MOST_EVIDENCE]:
        yield _measurement(document, cell)
    if len(wholes) > _MOST_EVIDENCE:
        yield Statement(f"{len(wholes) - _MOST_EVIDENCE} more", "in the table of scores.")


def _measurement(document: ReportDocument, cell: Cell) -> Statement:
    metric = document.metrics.get(cell.metric)
    unit, points = score_unit([cell], metric), difference_unit([cell], metric)
    return Statement(
        f"{cell.suite} by {cell.metric}",
        f"it scores {interval_text(cell.student_score, unit)}, the teacher "
        f"{interval_text(cell.teacher_score, unit)}: a difference of "
        f"{interval_text(cell.difference, points)} over {counted(cell.n, 'sample')}.",
    )


def _missing(
    document: ReportDocument, student: Comparison, decision: GateDecision | None
) -> Iterator[Statement]:
    for rule in () if decision is None else decision.rules:
        if rule.verdict == "inconclusive":
            yield _samples(rule)
    left_out = {
        cell.suite: cell.missing
        for cell in reversed(student.cells)
        if cell.slice == ALL and cell.missing.total
    }
    of_suites: dict[str, list[str]] = {}
    for suite, missing in reversed(left_out.items()):
        of_suites.setdefault(suite, []).append(
            f"{counted(missing.total, 'sample')} left out of both sides "
            f"({left_out_reasons(missing)})"
        )
    without = {
        (cell.suite, cell.calibration.reason): None
        for cell in student.cells
        if cell.slice == ALL and cell.calibration is not None and cell.calibration.reason
    }
    for suite, why in without:
        of_suites.setdefault(suite, []).append(f"no calibration, {why}")
    for suite, lines in of_suites.items():
        yield Statement(suite, f"{'; '.join(lines)}.")
    for line in warning_lines(document.noise, student):
        yield Statement("Below the noise floor", f"{line}.")
    if student.latency is None:
        yield Statement("Speed", "no latency was measured or recorded.")
    if student.cost is None or student.cost.ratio is None:
        reason = None if student.cost is None else student.cost.reason
        given = reason or "no cost is known: give it under `costs` in the configuration"
        yield Statement("Cost", f"{given}.")


def _samples(rule: RuleResult) -> Statement:
    if rule.samples_missing is None:
        return Statement(
            _capital(rule.rule),
            "no number of further samples is known that would make it pass; its evidence says why.",
        )
    return Statement(
        _capital(rule.rule),
        f"about {counted(rule.samples_missing, 'more sample')}, if it goes on as in the "
        f"{rule.n:,} seen.",
    )
