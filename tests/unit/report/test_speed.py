"""Rows of speed, length, cost and size: known figures only, the same in every rendering."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from kdeval.latency.token_times import MedianTimes, TimeParts, TokenTimes
from kdeval.latency.tokens import SAME_RATIO, PairedMeans, TokenFigures
from kdeval.report.document import ReportDocument
from kdeval.report.fitting_table import FittingTable
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.models import ModelSummary, comparable_memory
from kdeval.report.speed import MEMORY, parts_text, speed_remarks, speed_rows
from kdeval.report.summary import summary_renderables
from kdeval.report.terminal import report_renderables
from kdeval.stats.interval import Interval

MakeDocument = Callable[..., ReportDocument]


def _interval(estimate: float, low: float | None, high: float | None) -> Interval:
    return Interval(estimate=estimate, low=low, high=high, confidence=0.95, method="test", n=64,
                    clusters=None)  # fmt: skip


def _means(teacher: float | None, student: float | None, **more: Any) -> PairedMeans:
    ratio = _interval(student / teacher, 1.7, 1.9) if teacher and student else None
    return PairedMeans(**({"n": 64, "total": 64, "teacher": teacher, "student": student,
                           "ratio": ratio} | more))  # fmt: skip


def _parts(length: Interval, per_token: float) -> TimeParts:
    assert length.estimate is not None
    time = length.estimate * per_token
    return TimeParts(source="probe", n=64, length=length, per_token=per_token,
                     time=_interval(time, time - 0.02, time + 0.02))  # fmt: skip


@pytest.fixture
def told(make_document: MakeDocument, make_comparison: Callable[..., Any]) -> ReportDocument:
    """A document of a language model pair of which everything is known."""
    compared = make_comparison()
    student = replace(
        compared.students[0],
        tokens=TokenFigures(
            input=_means(100.0, 100.0, n=60, ratio=_interval(1.0, 1.0, 1.0)),
            output=_means(40.0, 72.0),
            reasoning=_means(0.0, 12.0, ratio=None),
            truncated=_means(0.0, 0.25, ratio=None),
            suites={"notes": _means(50.0, 90.0), "mails": _means(30.0, 54.0)},
        ),
        token_times=TokenTimes(
            first_token=MedianTimes(
                source="probe", n=64, teacher=_interval(0.3, 0.29, 0.31),
                student=_interval(0.12, 0.11, 0.13), ratio=_interval(0.4, 0.38, 0.42),
            ),
            between_tokens=None,
            parts=_parts(_interval(1.8, 1.7, 1.9), 0.45),
        ),
    )  # fmt: skip
    document = make_document(compared=replace(compared, students=(student,)))
    models = tuple(
        replace(model, parameters=parameters, bytes_on_disk=size, peak_memory_bytes=peak,
                device="cuda:0")
        for model, parameters, size, peak in zip(
            document.models, (100, 60), (4_000, 600), (9_000, 4_500), strict=True
        )
    )  # fmt: skip
    return replace(document, models=models)


def test_the_figures_of_the_strip_are_numbered_first(told: ReportDocument) -> None:
    """Footnotes run from 1 without a gap; what only the table of speed needs comes after."""
    (student,) = told.students
    assert student.tokens is not None
    tokens = replace(student.tokens, output=_means(40.0, 72.0, ratio=None))
    page = report_html(replace(told, students=(replace(student, tokens=tokens),)))
    strip = page.partition('<dl class="strip">')[2].partition("</dl>")[0]
    assert "length ratio" not in strip
    assert "Length ratio:" in page
    numbers = {int(found) for found in re.findall(r"<sup>(\d+)</sup>", strip)}
    assert numbers == set(range(1, len(numbers) + 1))


def test_every_known_figure_has_its_row(told: ReportDocument) -> None:
    """With both sizes, each its own ratio; reasoning where some was written; no dash for a row
    of which nothing is known.
    """
    rows = {row.name: row for row in speed_rows(told, told.students[0])}
    assert rows["output tokens, mean"].ratio_text == "1.80 [1.70, 1.90]"
    assert rows["output tokens, notes"].teacher == "50.0"
    assert rows["input tokens, mean"].note == "known of 60 of 64 requests"
    assert rows["input tokens, mean"].ratio_text == "1.00"
    assert rows["reasoning tokens among them, mean"].student == "12.0"
    assert rows["outputs cut off by the limit"].student == "25.0 %"
    assert rows["time to first token, median"].student == "120 ms"
    assert rows["time to first token, median"].note == "probe, 64 requests"
    assert "time per further token, median" not in rows
    assert rows["parameters"].ratio_text == "0.60"
    assert rows["weights on disk"].ratio_text == "0.15"
    assert rows["peak memory"].ratio_text == "0.50"


def test_every_rendering_has_them(told: ReportDocument) -> None:
    """Page, Markdown and terminal; the page explains length and memory in its footnotes."""
    page = report_html(told)
    console = Console(file=io.StringIO(), width=90, highlight=False)
    console.print(*report_renderables(told))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in (page, report_markdown(told), shown):
        for words in ("output tokens, mean", "time to first token, median", "peak memory"):
            assert words in text
        assert "The student is more verbose" in " ".join(text.split())
    assert 'id="define-length"' in page
    assert 'id="define-memory"' in page


def test_how_many_requests_were_probed_stands_where_their_time_does(told: ReportDocument) -> None:
    """In the page's strip, in Markdown, and in both forms of the terminal."""
    strip = report_html(told).partition('<dl class="strip">')[2].partition("</dl>")[0]
    assert "probed at batch 1, n = 64" in strip
    assert "latency p50 (probe, 64 requests)" in report_markdown(told)
    for rendered in (summary_renderables(told), report_renderables(told)):
        console = Console(file=io.StringIO(), width=100, highlight=False)
        console.print(*rendered)
        assert "probe, 64 requests" in " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def test_a_classifier_has_neither_rows_nor_footnotes_of_tokens(make_document: MakeDocument) -> None:
    """What is not there is not mentioned."""
    document = make_document()
    names = [row.name for row in speed_rows(document, document.students[0])]
    assert not [name for name in names if "token" in name or "memory" in name]
    page = report_html(document)
    assert 'id="define-length"' not in page
    assert "length ratio" not in page
    assert MEMORY not in speed_remarks(document, document.students[0])


@pytest.mark.parametrize(
    ("length", "per_token", "words"),
    [
        (_interval(1.8, 1.7, 1.9), 0.45,
         "The student is more verbose: it writes 1.80 [1.70, 1.90] times as many tokens, which "
         "eats part of its speed-up. A token takes 0.45 of the teacher's time, a request "
         "0.81 [0.79, 0.83] of it"),
        (_interval(1.8, 1.7, 1.9), 0.8, "which eats all of its speed-up. A token takes 0.80 of"),
        (_interval(1.8, 1.7, 1.9), 1.2, "times as many tokens. A token takes 1.20 of"),
        (_interval(0.5, 0.4, 0.6), 0.5, "The student is terser"),
        (_interval(1.1, 0.9, 1.3), 0.5, "Whether the student writes more is not clear"),
        (_interval(1.1, None, None), 0.5, "Whether the student writes more is not clear"),
        (replace(_interval(1.1, None, None), reason="2 requests are too few to bound this ratio"),
         0.5, "1.10 [unknown] times as many tokens (2 requests are too few to bound this ratio)."),
        (replace(_interval(1.0, None, None), reason=SAME_RATIO), 0.5,
         "Both write the same number of tokens in every request. A token takes 0.50 of"),
        (replace(_interval(1.5, None, None), reason=SAME_RATIO), 0.5,
         "The student writes 1.50 times as many tokens in every request. A token takes 0.50 of"),
    ],
)  # fmt: skip
def test_the_sentence_follows_the_interval(length: Interval, per_token: float, words: str) -> None:
    """Verbose only where the whole interval says so."""
    assert words in parts_text(_parts(length, per_token))


def test_peaks_of_memory_are_compared_only_where_they_can_be() -> None:
    """On one kind of accelerator, and with every answer made in this run."""

    def model(name: str, device: str, from_store: int = 0) -> ModelSummary:
        return ModelSummary(
            name=name, role="student", type="causal_lm", fingerprint="f", requests=9, errors=0,
            parameters=None, bytes_on_disk=None, device=device, dtype=None, price=None,
            peak_memory_bytes=10, from_store=from_store,
        )  # fmt: skip

    assert comparable_memory(model("a", "cuda:0"), model("b", "cuda:1")) is None
    assert "different kinds of device" in str(
        comparable_memory(model("a", "cuda"), model("b", "cpu"))
    )
    assert "another has left" in str(comparable_memory(model("a", "cpu"), model("b", "cpu")))
    reason = comparable_memory(model("a", "cuda", 3), model("b", "cuda"))
    assert reason is not None
    assert reason.startswith("part of the answers of a came from an earlier run")


@pytest.mark.parametrize("width", [24, 40, 60, 80])
def test_a_narrow_terminal_keeps_every_figure(width: int) -> None:
    """Headings stay whole: beside each figure where the columns have no room."""
    table = FittingTable("slice", "teacher", "student", "retention")
    table.add_row(Text("domain=a very long name"), "98.5 %", "93.6 %", "95.1 % [93.8, 96.3]")
    table.add_row("all", "98.5 %", "–", "–")
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    words = shown.split()
    for word in ("teacher", "student", "retention", "95.1", "96.3]"):
        assert any(word in item for item in words), word
    with pytest.raises(ValueError, match="2 cells for 4 headings"):
        table.add_row("a", "b")
