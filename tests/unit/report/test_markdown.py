from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdeval.report.document import ReportDocument
from kdeval.report.gate_markdown import append_step_summary, gate_markdown
from kdeval.report.markdown import report_markdown
from kdeval.report.markdown_text import GITHUB_LIMIT

MakeDocument = Callable[..., ReportDocument]


def test_the_comment_says_what_a_reader_asks(make_document: MakeDocument) -> None:
    """The verdict first, then absolute scores beside the majority baseline, and retention."""
    page = report_markdown(make_document())
    assert page.startswith("## kdeval: demo\n\n**❌ fail**: small: fail (3 rules")
    assert "and the baseline <code>release: small</code>" in page
    assert (
        "| <code>all</code> | 200 | 3 | 90.0 % | 88.0 % | 55.0 % | 97.8 % [95.8, 99.8] "
        "| -2.0 points [-4.0, +0.0] | 10 / 6 | 92.0 % |"
    ) in page
    assert "- <code>domain&#61;tweets</code>" not in page
    assert "- <code>domain=tweets</code>: retention: at chance" in page
    assert "1 teacher error, 2 student errors, 0 missing scores" in page
    assert "| 0.060 (0.020: < 0.001) | 0.080 | 3 references at probability 0 | 1.40 |" in page
    assert "| latency p50 (probe, 64 requests) | 8.30 ms | 110 µs | 0.013 [0.012, 0.014] |" in page
    assert "| cost of 1,000 requests (the cost of small is unknown) | $2.00 | – | – |" in page
    assert "- Latency was measured at batch 1." in page


def test_rules_that_do_not_pass_come_first(make_decision: Callable[..., Any]) -> None:
    """A reader of a failing pull request sees why without searching."""
    page = gate_markdown([make_decision("pass", "inconclusive", "fail")])
    verdicts = re.findall(r"^\|.*\| (✅|❌|❔) \w+ \|", page, flags=re.MULTILINE)
    assert verdicts == ["❌", "❔", "✅"]


def test_samples_lie_folded(make_document: MakeDocument) -> None:
    """Lost and gained samples with both outputs, behind one line."""
    page = report_markdown(make_document(n=40))
    assert "<details><summary>small: 10 lost, 4 gained</summary>" in page
    assert page.count("</details>") == 1
    assert page.count("| lost |") == 10


def test_hostile_text_stays_text(make_document: MakeDocument) -> None:
    """Nothing that a model wrote closes our fold, opens a tag, starts a row or a heading."""
    page = report_markdown(make_document())
    assert "<script" not in page
    assert set(re.findall(r"</?[a-z]+>", page)) == {
        "<code>",
        "</code>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    }
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\n# heading" not in page
    table = page.split("</summary>")[1].split("</details>")[0]
    assert {row.count("|") for row in table.strip().split("\n")} == {7}


def test_without_text_there_are_only_counts(make_document: MakeDocument) -> None:
    """No fold: the samples are named in the JSON, the comment counts them."""
    page = report_markdown(make_document(include_text=False))
    assert "<details>" not in page
    assert "small: 10 lost, 4 gained (this report is without text)" in page
    assert "heading" not in page


def test_the_limit_of_a_comment_holds(
    make_document: MakeDocument, make_cell: Callable[..., Any], make_comparison: Callable[..., Any]
) -> None:
    """Hundreds of slices and long texts: at most 65,536 characters, everything cut is counted."""
    document = make_document(n=800, text="é<&>`|" * 500)
    cells = [make_cell(f"domain={index:04d} {'|' * 20}") for index in range(600)]
    full = replace(document, students=make_comparison(*cells).students)
    page = report_markdown(full)
    assert len(page) <= GITHUB_LIMIT
    assert re.search(r"\*\d+ more slices left out: no room\*", page)
    assert re.search(r"\*\d+ more samples left out: no room\*", page)
    assert "; 80 of them drawn at random</summary>" in page
    assert "### <code>small</code>" in page
    assert "Latency was measured" in page
    assert page.count("<details>") == page.count("</details>") == 1
    assert len(report_markdown(full, limit=5_000)) <= 5_000


def test_the_step_summary_is_appended_to(make_decision: Callable[..., Any], tmp_path: Path) -> None:
    """What another step wrote there stays."""
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    append_step_summary(file, [make_decision()])
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert "## kdeval gate" in text


def test_names_cannot_steer_the_gate_page(
    make_decision: Callable[..., Any], make_rule: Callable[..., Any], hostile: str
) -> None:
    """Slices and students are named by users' data."""
    decision = make_decision(
        student=hostile, rules=(make_rule("fail", rule=f"retention, {hostile}", evidence=hostile),)
    )
    page = gate_markdown([decision])
    assert "<script" not in page
    assert "</details>" not in page
    assert "@someone" not in page.replace("&#64;<!-- -->", "")
    assert page.count("\n| ") == 3


def test_clusters_stand_beside_n(
    make_decision: Callable[..., Any], make_rule: Callable[..., Any]
) -> None:
    """Four hundred samples of twenty documents are not four hundred pieces of evidence."""
    page = gate_markdown([make_decision(rules=(make_rule("pass", n=400, clusters=20),))])
    assert "| n in clusters |" in page
    assert page.rstrip().endswith("| 400 in 20 |")
