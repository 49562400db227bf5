"""Imitation and the previous student in every form of the report, with hostile text in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from kdeval.compare.fidelity import Apart, Fidelity
from kdeval.compare.repeats import Repeats
from kdeval.compare.token_fidelity import (
    BitsPerByte,
    PlaceFigures,
    TokenApart,
    TokenFidelity,
    WideToken,
)
from kdeval.gate.previous import PreviousFlips
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.document import ReportDocument
from kdeval.report.fidelity_words import bits_words, repeats_words, token_words
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.previous import BrokenSample, PreviousReport, previous_lines
from kdeval.report.terminal import report_renderables
from kdeval.stats.interval import Interval
from kdeval.stats.means.flips import FlipTable

MakeDocument = Callable[..., ReportDocument]


def interval(estimate: float, n: int = 40) -> Interval:
    return Interval(estimate=estimate, low=estimate - 0.01, high=estimate + 0.01, confidence=0.95,
                    method="test", n=n, clusters=None)  # fmt: skip


def tokens(name: str = "sentiment", **changes: Any) -> TokenFidelity:
    found = TokenFidelity(
        suite=name, text="teacher_output", texts=40, left_out={"the text is empty": 2},
        tokens=1234, own_prompts=1,
        apart=tuple(
            TokenApart(temperature=t, kl=interval(0.5 / t), js=interval(0.2 / t),
                       teacher_entropy=1.5, student_entropy=1.75)
            for t in (1.0, 4.0)
        ),
        same_top=interval(0.81), half_share=0.07,
        places=(
            PlaceFigures(first=1, last=1, tokens=40, kl=interval(0.2)),
            PlaceFigures(first=2, last=4, tokens=120, kl=interval(0.4)),
            PlaceFigures(first=1025, last=None, tokens=9, kl=interval(0.9)),
        ),
        widest=(
            WideToken(sample_id="s1", position=7, before="<b>before", token="</ins><script>",
                      kl=9.25, teacher_probability=0.99, student_probability=0.0001,
                      teacher_top=" \n", student_top="", teacher_top_probability=0.99,
                      student_top_probability=0.7),
        ),
        bits=BitsPerByte(teacher=interval(0.7), student=interval(0.9), difference=interval(0.2)),
    )  # fmt: skip
    return replace(found, **changes)


def repeats() -> Repeats:
    return Repeats(suite="sentiment", n=30, teacher=interval(0.88), student=None,
                   between=interval(0.81))  # fmt: skip


def fidelity() -> Fidelity:
    apart = tuple(
        Apart(temperature=t, kl=interval(0.4 / t), js=interval(0.1 / t), tv=interval(0.15),
              teacher_entropy=0.5, student_entropy=0.6)
        for t in (1.0, 4.0)
    )  # fmt: skip
    return Fidelity(teacher_was="any", n=40, agreement=interval(0.79), n_probabilities=40,
                    kl=apart[0].kl, infinite_kl=0, js=apart[0].js, apart=apart)  # fmt: skip


def previous(student: str, **changes: Any) -> PreviousReport:
    cell = PreviousFlips(
        suite="sentiment", metric="exact", slice="all", changed=2, absent=3,
        table=FlipTable(both_right=80, lost=5, gained=9, both_wrong=6),
        negative=interval(0.05), positive=interval(0.09), by_chance=0.12,
    )  # fmt: skip
    found = PreviousReport(
        student=student, previous="runs/old: <i>tiny", cells=(cell,),
        broken=(BrokenSample(suite="sentiment", metric="exact", sample_id="s9",
                             input="<script>in", reference="yes", previous_output="yes",
                             output="no</pre>"),),
    )  # fmt: skip
    return replace(found, **changes)


@pytest.fixture
def document(make_document: MakeDocument) -> ReportDocument:
    """A document with everything that imitation can tell."""
    made = make_document()
    student = made.students[0].student
    suite = SuiteDetails(suite="sentiment", metric="exact", reliability=None,
                         fidelity=(fidelity(),), repeats=repeats())  # fmt: skip
    details = StudentDetails(student=student, suites=(suite,), latency=None, tokens=(tokens(),))
    return replace(made, details=(details,), previous=(previous(student),))


def terminal(document: ReportDocument) -> str:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for item in report_renderables(document):
        console.print(item)
    return " ".join(console.export_text().split())


def test_the_page_shows_every_part(document: ReportDocument) -> None:
    """Divergences at both temperatures, the ceiling, tokens, bits, flips; all of it escaped."""
    page = report_html(document)
    for words in ("KL at T = 4", "an exact copy of it would reach", "token by token",
                  "Bits per byte of the same text", "half of all KL lies on",
                  "1025 on", "␣⏎", "no text", "Where both differ most: 1 token",
                  "Against the previous student", "by chance",
                  "1 of the 5 lost samples"):  # fmt: skip
        assert words.replace(" %", "\u00a0%") in page, words
    assert "<script>in" not in page
    assert "</ins><script>" not in page
    assert "&lt;script&gt;in" in page


def test_without_tokens_or_previous_the_page_has_no_word_of_them(
    document: ReportDocument,
) -> None:
    """Sections appear only with something to show."""
    bare = replace(document, details=(replace(document.details[0], tokens=()),), previous=())
    page = report_html(bare)
    assert "token by token" not in page
    assert 'id="previous"' not in page


def test_markdown_and_terminal_say_it_in_lines(document: ReportDocument) -> None:
    """The same sentences; foreign text stays text."""
    shown = terminal(document)
    page = report_markdown(document)
    for words in ("an exact copy of it would reach", "5 right before are wrong now",
                  "KL 0.500 [0.490, 0.510] nats a token at T = 1"):  # fmt: skip
        assert words in shown, words
        assert words.split("[")[0].rstrip() in page, words
    assert "<i>tiny" not in page


def test_sentences_follow_what_is_known() -> None:
    """Vocabularies that differ leave bits alone; nothing read leaves nothing."""
    apart = tokens(tokens=0, apart=(), same_top=None, half_share=None, places=(), widest=())
    assert token_words(apart) == ""
    assert bits_words(apart).startswith("The vocabularies differ, so only whole texts compare.")
    assert bits_words(tokens(bits=None)) == ""
    assert "1 prompt not the same for both" in token_words(tokens())
    assert "of the references" in token_words(tokens(text="reference"))
    assert "Of two answers of the student, 50.0 %" in repeats_words(
        replace(repeats(), student=interval(0.5))
    )


def test_a_previous_student_without_flips_is_told() -> None:
    """Scores that are not right or wrong cannot flip; what was left out is counted."""
    assert list(previous_lines(previous("small", cells=()))) == [
        "No suite that both answered is marked right or wrong, so nothing can flip."
    ]
    [line] = previous_lines(previous("small"))
    assert "left out: 2 changed since, 3 without a score then" in line
    assert "(12.0 % if the new errors knew nothing of the old ones)" in line
