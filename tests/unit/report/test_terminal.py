from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from kdeval.compare.comparison import Missing
from kdeval.cost.figures import CostFigures
from kdeval.records import Metric
from kdeval.report.document import ReportDocument
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.summary import summary_renderables
from kdeval.report.terminal import gate_renderables, report_renderables


def shown(parts: Iterable[RenderableType], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    for part in parts:
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_a_report_fits_eighty_columns(make_document: Callable[..., ReportDocument]) -> None:
    """No figure is cut or folded, whatever the names are."""
    text = shown(report_renderables(make_document()))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for figure in ("97.8 % [95.8, 99.8]", "-2.0 [-4.0, +0.0]", "92.0 %", "8.30 ms"):
        assert figure in text
    assert "domain=tweets: retention: at chance" in text
    assert "note: Latency was measured at batch 1." in text


def test_a_decision_fits_eighty_columns(make_decision: Callable[..., Any]) -> None:
    """Rules and evidence fold; the verdict comes last, where the eye is."""
    text = shown(gate_renderables([make_decision()]))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "inconclusive retention of exact" in text
    assert "small: fail (3 rules: 1 pass, 1 fail, 1 inconclusive), against big" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_names_do_not_reach_the_terminal(
    make_decision: Callable[..., Any], make_rule: Callable[..., Any], hostile: str, width: int
) -> None:
    """No escape code, no markup of rich's, no reversed line."""
    bad = f"{hostile} [bold red]x[/] [link=http://e]"
    decision = make_decision(student=bad, rules=(make_rule("pass", rule=bad, evidence=bad),))
    text = shown(gate_renderables([decision]), width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]x[/]" in text.replace("\n", "") or width == 40


def test_retention_above_chance_has_its_interval_everywhere(
    make_document: Callable[..., ReportDocument],
    make_comparison: Callable[..., Any],
    make_cell: Callable[..., Any],
) -> None:
    cell = make_cell()
    cell = make_cell(retention_above_chance=replace(cell.retention, estimate=0.75, low=0.5, high=1))
    document = make_document(compared=make_comparison(cell))
    figure = "75.0 % [50.0, 100.0]"
    assert f"retention above chance (50.0 %): {figure}" in shown(report_renderables(document))
    assert f"| {figure} |" in report_markdown(document)
    words = re.search(
        r'<div class="ends">(above chance .*?)</div>', report_html(document), re.DOTALL
    )
    assert words is not None
    assert " ".join(re.sub("<[^>]*>", "", words[1]).split()) == f"above chance {figure}"


def test_why_samples_are_left_out_is_said_in_every_form(
    make_document: Callable[..., ReportDocument],
    make_comparison: Callable[..., Any],
    make_cell: Callable[..., Any],
) -> None:
    """Whose failures they were, and the reasons that were recorded: not without text."""
    missing = Missing(
        teacher_errors=0, student_errors=2, unscored=1,
        reasons={"student: timed out": 2, "the sample has no reference": 1},
    )  # fmt: skip
    compared = make_comparison(make_cell(missing=missing))
    document = make_document(compared=compared)
    why = "2 x student: timed out; 1 x the sample has no reference"
    brief = " ".join(shown(summary_renderables(document)).split())
    assert f"sentiment: 3 samples left out: {why}" in brief
    said = f"0 teacher errors, 2 student errors, 1 missing score: {why}"
    assert said in " ".join(shown(report_renderables(document)).split())
    assert said in report_markdown(document)
    assert said in report_html(document)
    quiet = make_document(n=44, compared=compared, include_text=False)
    text = shown(summary_renderables(quiet))
    assert "sentiment: 3 samples left out: 2 student errors, 1 missing score\n" in text


def test_many_slices_show_the_worst(
    make_document: Callable[..., ReportDocument],
    make_cell: Callable[..., Any],
    make_comparison: Callable[..., Any],
) -> None:
    """The whole suite and the slices of the lowest retention; the rest is counted."""
    cells = [make_cell()]
    for index in range(40):
        retention = replace(cells[0].retention, estimate=0.9, low=0.5 + index / 100, high=1.0)
        cells.append(make_cell(f"domain=d{index}", retention=retention))
    text = shown(report_renderables(make_document(compared=make_comparison(*cells))))
    assert "domain=d0 " in text
    assert "domain=d10 " in text
    assert "domain=d11 " not in text
    assert "29 more are in the written report" in text


def test_columns_of_the_calibration_are_explained(
    make_document: Callable[..., ReportDocument],
) -> None:
    """Words that are too short for a heading stand below the table."""
    text = shown(report_renderables(make_document()))
    for words in ("sure: mean confidence", "perfect: ECE of a perfectly", "scaled: ECE on the"):
        assert words in text


def test_costs_say_how_many_are_known(
    make_document: Callable[..., ReportDocument],
    make_comparison: Callable[..., Any],
) -> None:
    """In every form of the report, so that a part is never taken for the whole."""
    compared = make_comparison()
    ratio = compared.students[0].cells[0].retention
    cost = CostFigures(
        teacher_usd=0.002, student_usd=0.0001, ratio=ratio, n=30, total=300, unit="request",
        basis="recorded",
    )  # fmt: skip
    compared = replace(compared, students=(replace(compared.students[0], cost=cost),))
    document = make_document(compared=compared)
    text = shown(report_renderables(document))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    said = "costs known of 30 of 300 requests"
    assert said in " ".join(shown(report_renderables(document), 120).split())
    assert "$2.00" in text
    assert "$0.100" in text
    assert said in report_markdown(document)
    assert report_html(document).count(said) >= 2


def test_intervals_end_where_scores_do(
    make_document: Callable[..., ReportDocument],
    make_comparison: Callable[..., Any],
    make_cell: Callable[..., Any],
) -> None:
    """A metric from 0 to 1 has no difference of 138 points and no negative retention."""
    made = make_cell()
    wide = make_cell(
        difference=replace(made.difference, estimate=-0.625, low=-1.387, high=0.137),
        retention=replace(made.retention, estimate=0.2, low=-0.387, high=1.5),
        student_score=replace(made.student_score, estimate=0.1, low=-0.2, high=0.3),
        flips=None,
    )
    text = shown(report_renderables(make_document(compared=make_comparison(wide))))
    assert "-62.5 [-100.0, +13.7]" in text
    assert "20.0 % [0.0, 150.0]" in text
    free = replace(make_comparison(wide), metrics={"exact": Metric(name="exact", low=None,
                                                                   high=None)})  # fmt: skip
    assert "-1.387" in shown(report_renderables(make_document(41, compared=free)))


def test_right_or_wrong_scores_of_a_log_are_percentages(
    make_document: Callable[..., ReportDocument], make_comparison: Callable[..., Any]
) -> None:
    """A recorded score has no declared range; where all are 0 or 1 it is a share all the same."""
    compared = replace(make_comparison(), metrics={"exact": Metric(name="exact", low=None)})
    assert "90.0 %" in shown(report_renderables(make_document(compared=compared)))


def test_the_summary_is_short_and_names_the_worst(
    make_document: Callable[..., ReportDocument],
    make_cell: Callable[..., Any],
    make_comparison: Callable[..., Any],
    hostile: str,
) -> None:
    """One screen for forty slices: the lowest of them, how many more there are, no hostile text."""
    cells = [make_cell()]
    for index in range(40):
        retention = replace(cells[0].retention, estimate=0.9, low=0.5 + index / 100, high=1.0)
        cells.append(make_cell(f"domain=d{index}{hostile}", retention=retention))
    text = shown(summary_renderables(make_document(compared=make_comparison(*cells))))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert len(text.splitlines()) <= 60
    assert "domain=d0" in text
    assert "domain=d39" not in text
    assert "... 27 more slices" in text
    assert "97.8 % [95.8, 99.8]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "note: Latency was measured at batch 1." in text
