"""The error ledger of a whole report, and how every rendering writes a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kdeval.compare.comparison import Comparison
from kdeval.gate.decision import GateDecision
from kdeval.gate.ledger import ErrorLedger, ErrorLine
from kdeval.gate.policy import Promise
from kdeval.report.numbers import confidence_text, count, counted, number
from kdeval.routing.evaluate import RouterEvaluation

__all__ = ["ASYMPTOTIC", "document_ledger", "ledger_rows", "ledger_summary"]

ASYMPTOTIC = (
    "Errors are nominal: asymptotic bounds may err up to 1.25 times as often, strict ones never "
    "more often."
)


def document_ledger(
    decisions: Sequence[GateDecision],
    students: Sequence[Comparison],
    router: RouterEvaluation | None,
    confidence: float,
) -> ErrorLedger:
    """Everything that the report promises: the rules, the students, the router, the intervals.

    Args:
        decisions: of the gate, for the students that were judged.
        students: the comparisons whose intervals are printed.
        router: an evaluation of a router, when there is one.
        confidence: two-sided, of each interval.
    """
    ledgers = [item.ledger for item in decisions if item.ledger is not None]
    lines: list[ErrorLine] = []
    for decision in decisions:
        if decision.ledger is not None:
            lines.extend(_of_student(decision, several=len(decisions) > 1))
    passes = [item.false_pass or 0.0 for item in ledgers]
    if len(ledgers) > 1:
        lines.append(_of_several(decisions, ledgers))
    if router is not None and router.level is not None:
        lines.append(_of_router(router))
    lines.append(_of_intervals(students, confidence))
    return ErrorLedger(
        lines=tuple(lines),
        false_pass=min(1.0, sum(passes)) if ledgers else None,
        false_fail=max((item.false_fail or 0.0 for item in ledgers), default=None),
    )


def _of_student(decision: GateDecision, *, several: bool) -> Iterator[ErrorLine]:
    assert decision.ledger is not None
    for line in decision.ledger.lines:
        yield replace(line, wrong=f"{decision.student}: {line.wrong}") if several else line


def _of_several(decisions: Sequence[GateDecision], ledgers: Sequence[ErrorLedger]) -> ErrorLine:
    return ErrorLine(
        wrong=f"some student that misses a limit passes, among the {len(decisions)} judged",
        error=min(1.0, sum(item.false_pass or 0.0 for item in ledgers)),
        split="sum",
        tests=len(decisions),
        promise=_weakest([line for item in ledgers for line in item.lines]),
        reason="one student wrongly passed is enough, so the errors add up: raise `confidence` to "
        "share one error among them",
    )


def _of_router(router: RouterEvaluation) -> ErrorLine:
    return ErrorLine(
        wrong=f"the router makes more than {number(router.level, 'percent')} of all requests worse",
        error=1 - router.lost_rate.confidence,
        split="fixed sequence",
        tests=1,
        promise="strict",
        reason="one threshold for all tasks together, so nothing is shared out among them; "
        "thresholds are tested from the strictest on, in an order fixed on other samples, up to "
        "the first that fails: each at the full error",
    )


def _of_intervals(students: Sequence[Comparison], confidence: float) -> ErrorLine:
    cells = sum(len(student.cells) for student in students)
    return ErrorLine(
        wrong="an interval of the tables misses its figure, at one given end",
        error=(1 - confidence) / 2,
        split="none",
        tests=cells,
        promise="asymptotic",
        reason=f"{counted(cells, 'cell')} of scores, each interval on its own: among many, some "
        "miss; a claim picked from them afterwards is no test",
    )


def _weakest(lines: Sequence[ErrorLine]) -> Promise:
    return "strict" if all(line.promise == "strict" for line in lines) else "asymptotic"


def ledger_rows(ledger: ErrorLedger) -> tuple[tuple[str, str, str, str, str], ...]:
    """For each line: what may go wrong, its error, the number of tests, the promise, the reason."""
    return tuple(
        (
            line.wrong,
            confidence_text(line.error),
            count(line.tests),
            line.promise,
            line.reason + _looks(line),
        )
        for line in ledger.lines
    )


def _looks(line: ErrorLine) -> str:
    if not line.looks:
        return ""
    return f" (used up after each: {', '.join(_short(spent) for spent in line.looks)})"


def _short(error: float) -> str:
    return f"{error * 100:.2g} %"


def ledger_summary(ledger: ErrorLedger) -> str | None:
    """The totals of a gate decision in a sentence; None where nothing was judged."""
    if ledger.false_pass is None or ledger.false_fail is None:
        return None
    tests = sum(line.tests for line in ledger.lines if line.wrong.startswith("passes wrongly"))
    both = (
        f"errors granted: a student that misses a limit passes at most "
        f"{confidence_text(ledger.false_pass)} of the time"
    )
    if tests > 1:
        both += " (all must pass, so no rule is corrected)"
    both += f"; one that meets every limit fails at most {confidence_text(ledger.false_fail)}"
    if tests > 1:
        both += f" ({counted(tests, 'test')} add up)"
    return both
