"""The error ledger and the averages over tasks in every rendering."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from kdeval.compare.figures.overall import MacroTask, Overall
from kdeval.gate.ledger import ErrorLedger, ErrorLine
from kdeval.report.gate_markdown import gate_markdown
from kdeval.report.html.page import report_html
from kdeval.report.ledger import document_ledger, ledger_rows, ledger_summary
from kdeval.report.markdown import report_markdown
from kdeval.report.overall import overall_notes, overall_rows, overall_title
from kdeval.report.strict_json import json_text
from kdeval.report.summary import summary_renderables
from kdeval.report.terminal import gate_renderables, report_renderables
from kdeval.stats.interval import Interval


def line(**changes: Any) -> ErrorLine:
    made = ErrorLine(
        wrong="passes wrongly: retention <b>of</b> exact, all: at least 95.0 %",
        error=0.05,
        split="looks",
        tests=2,
        promise="asymptotic",
        reason="one test; spent over 2 looks",
        looks=(0.0003, 0.05),
    )
    return replace(made, **changes)


LEDGER = ErrorLedger(lines=(line(),), false_pass=0.05, false_fail=0.1)


def interval(estimate: float) -> Interval:
    return Interval(estimate=estimate, low=estimate - 0.02, high=estimate + 0.02, confidence=0.95,
                    method="test", n=300, clusters=None)  # fmt: skip


@pytest.fixture
def overall() -> Overall:
    task = MacroTask(
        name="a", suite="a", metric="exact", slice="all", n=100, retention=interval(0.97)
    )
    return Overall(
        tasks=(task, replace(task, name="b"), replace(task, name="c")),
        at_chance=(),
        left_out=("<i>ratings</i> by score (not a score between 0 and 1)",),
        teacher_score=interval(0.9),
        student_score=interval(0.88),
        retention=interval(0.978),
        difference=interval(-0.02),
        worst_task="b",
        worst=interval(0.961),
    )


def terminal(renderables: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    for item in renderables:
        console.print(item)
    return console.export_text()


def test_the_summary_says_both_errors() -> None:
    assert ledger_summary(LEDGER) == (
        "errors granted: a student that misses a limit passes at most 5 % of the time (all must "
        "pass, so no rule is corrected); one that meets every limit fails at most 10 % (2 tests "
        "add up)"
    )
    assert ledger_summary(replace(LEDGER, false_pass=None)) is None


def test_looks_are_spent_in_the_row() -> None:
    assert ledger_rows(LEDGER)[0][-1] == (
        "one test; spent over 2 looks (used up after each: 0.03 %, 5 %)"
    )


def test_several_students_add_up(make_decision: Callable[..., Any]) -> None:
    """Any one of them wrongly passed is an error of the report."""
    decisions = [make_decision(student=name, ledger=LEDGER) for name in ("one", "two", "three")]
    found = document_ledger(decisions, [], None, 0.95)
    assert found.false_pass == pytest.approx(0.15)
    assert found.false_fail == pytest.approx(0.1)
    assert [item.error for item in found.lines if item.tests == 3] == [pytest.approx(0.15)]
    assert found.lines[0].wrong.startswith("one: passes wrongly")
    alone = document_ledger([], [], None, 0.9)
    assert (alone.false_pass, len(alone.lines)) == (None, 1)
    assert alone.lines[0].error == pytest.approx(0.05)


def test_every_rendering_of_a_report_has_both(
    make_document: Callable[..., Any],
    make_comparison: Callable[..., Any],
    make_decision: Callable[..., Any],
    overall: Overall,
) -> None:
    document = make_document()
    student = replace(document.students[0], overall=overall)
    document = replace(
        document,
        students=(student,),
        decisions=(make_decision(ledger=LEDGER),),
        ledger=document_ledger([make_decision(ledger=LEDGER)], [student], None, 0.95),
    )
    html, markdown = report_html(document), report_markdown(document)
    assert "<h3>Error ledger</h3>" in html
    assert "retention &lt;b&gt;of&lt;/b&gt; exact" in html
    assert "macro retention" in html
    assert "&lt;i&gt;ratings&lt;/i&gt;" in html
    assert "<h3>All 3 tasks, each counted once</h3>" in html
    for row in overall_rows(overall):
        figure, _, ends = row.text.partition(" [")
        cell = f'>{figure} <span class="ends">[{ends}</span></td>'
        assert re.search(f'<th scope="row">{row.label}</th>.*{re.escape(cell)}', html)
        assert f"| {row.label} | {row.text} |" in markdown
    assert "Error ledger." in markdown
    assert "| macro retention | 97.8 % [95.8, 99.8] |" in markdown
    assert "| retention of the worst task, b | 96.1 % [94.1, 98.1] |" in markdown
    shown = terminal(report_renderables(document))
    assert "All 3 tasks, each counted once" in shown
    brief = terminal(summary_renderables(document))
    assert "macro retention, of the means over 3 tasks: 97.8 % [95.8, 99.8]" in brief
    assert "; worst task b: 96.1 % [94.1, 98.1]" in brief
    refused = replace(overall, retention=replace(interval(0.0), estimate=None, reason="a guess"))
    refused = replace(document, students=(replace(student, overall=refused),))
    assert "over 3 tasks: – (a guess)" in terminal(summary_renderables(refused))
    for said in (report_html(refused), report_markdown(refused)):
        assert "acro retention: a guess" in said
    two = replace(overall, tasks=overall.tasks[:2])
    assert overall_title(two) == "Both tasks, each counted once"
    assert "macro difference: -2.0 points [-4.0, +0.0]" in shown
    assert '"false_pass": 0.05' in json_text(document)


def test_no_worst_task_is_named_where_one_has_no_retention(
    make_document: Callable[..., Any], overall: Overall
) -> None:
    """It may be the worst itself: of two tasks one would be named that is the best."""
    found = replace(overall, at_chance=("c",), worst=None, worst_task=None)
    document = make_document()
    document = replace(document, students=(replace(document.students[0], overall=found),))
    full = terminal(report_renderables(document))
    for said in (
        terminal(summary_renderables(document)),
        full,
        report_markdown(document),
        report_html(document),
    ):
        assert "orst task cannot be told: c has no retention" in said
        assert "worst task, b" not in said
    assert "not clearly above chance on c" in full
    assert '"worst_task": null' in json_text(document)


def test_the_gate_prints_the_summary(make_decision: Callable[..., Any]) -> None:
    decision = make_decision(ledger=LEDGER)
    assert "errors granted: a student that misses a limit" in terminal(gate_renderables([decision]))
    assert "Errors granted: a student that misses a limit" in gate_markdown([decision])


def test_long_lists_are_counted(overall: Overall) -> None:
    many = replace(overall, left_out=tuple(f"t{i}" for i in range(9)))
    assert list(overall_notes(many)) == ["not averaged: t0; t1; t2; t3; t4; t5; 3 more"]


def test_a_router_spends_its_own_error() -> None:
    """One threshold for all tasks, tested in fixed sequence: nothing is divided."""
    router = SimpleNamespace(level=0.03, lost_rate=SimpleNamespace(confidence=0.9))
    found = document_ledger([], [], router, 0.95).lines[0]  # type: ignore[arg-type]
    assert found.wrong == "the router makes more than 3.0 % of all requests worse"
    assert (found.error, found.split, found.promise) == (
        pytest.approx(0.1),
        "fixed sequence",
        "strict",
    )
    uncertified = SimpleNamespace(level=None, lost_rate=SimpleNamespace(confidence=0.9))
    assert len(document_ledger([], [], uncertified, 0.95).lines) == 1  # type: ignore[arg-type]
