"""The HTML report as a file; tests/browser opens it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from kdeval.gate.decision import GateDecision
from kdeval.report.document import ReportDocument
from kdeval.report.html.page import report_html
from kdeval.routing.baselines import Baseline
from kdeval.routing.curve import CurvePoint
from kdeval.routing.evaluate import RouterEvaluation
from kdeval.stats.binomial import wilson

MakeDocument = Callable[..., ReportDocument]

_VOID = {"meta", "link", "input", "br", "img", "hr"}


class Structure(HTMLParser):
    """Open and closing tags, and every attribute."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.scripts += tag == "script"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"{tag} at {self.getpos()}")


def structure(page: str) -> Structure:
    found = Structure()
    found.feed(page)
    found.close()
    return found


def test_it_is_well_formed_and_asks_for_nothing(make_document: MakeDocument) -> None:
    """Tags close in order; links lead into the page; no attribute carries style or script."""
    found = structure(report_html(make_document()))
    assert found.problems == []
    assert found.open == []
    assert found.scripts == 1
    for _, name, value in found.attributes:
        assert not name.startswith("on")
        assert name not in ("style", "src", "srcset", "action", "formaction")
        if name == "href":
            assert value.startswith("#") or value == "data:,"
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {value[1:] for _, name, value in found.attributes if name == "href"} - {"ata:,"}
    assert targets <= set(ids)


def test_only_its_own_style_and_script_may_run(make_document: MakeDocument) -> None:
    """The policy names both by the hash of what stands between the tags, and nothing else."""
    page = report_html(make_document())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    allowed = policy.group(1).replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'")
    assert "unsafe" not in allowed
    for tag in ("style", "script"):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inner is not None
        digest = base64.b64encode(hashlib.sha256(inner.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in allowed


def test_foreign_text_is_shown_and_not_obeyed(make_document: MakeDocument, hostile: str) -> None:
    """Also in reasons of errors; invisible characters are named."""
    page = report_html(make_document())
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "&lt;U+202E&gt;" in page
    assert "timed out" in page


def test_without_text_nothing_is_quoted(make_document: MakeDocument) -> None:
    """Samples are named; no input, output or recorded reason stands anywhere."""
    page = report_html(make_document(include_text=False))
    assert "alert" not in page
    assert "timed out" not in page
    assert "This report is without text" in page
    assert ">s0</span>" in page


def test_a_large_run_stays_small_and_says_what_is_left_out(make_document: MakeDocument) -> None:
    """Texts of 20,000 characters, thousands of regressions: under 5 MB, the rest counted."""
    document = make_document(n=2_000, text="long <text> " * 1_700)
    page = report_html(document)
    assert len(page.encode()) < 5_000_000
    (examples,) = document.examples
    shown = page.count('class="sample"')
    (found,) = examples.counts
    total = found.lost + found.gained + found.both_right + found.both_wrong
    assert 100 < shown < total
    assert f"{total - shown:,} left out" in page


def test_the_verdict_has_its_evidence_and_what_is_missing(
    make_document: MakeDocument, make_decision: Callable[..., GateDecision]
) -> None:
    """One sentence for each outcome."""
    document = make_document()
    for verdicts, sentence in (
        (("pass", "pass"), "small may replace big: both rules hold."),
        (("pass",) * 3, "small may replace big: all 3 rules hold."),
        (("fail", "pass"), "small may not replace big: 1 of 2 rules fails."),
        (("inconclusive",), "Whether small may replace big is open: the rule needs more evidence."),
    ):
        page = report_html(replace(document, decisions=(make_decision(*verdicts),)))
        assert f">{sentence}</h1>" in page
    unjudged = report_html(replace(document, decisions=()))
    assert "small was measured against big, not judged." in unjudged
    assert "the cost of small is unknown" in unjudged


@pytest.mark.parametrize(
    ("verdicts", "table"),
    [
        (("inconclusive",), None),
        (("fail", "inconclusive"), "other rule"),
        (("pass",) * 5, "2 other rules"),
        (("fail", *("pass",) * 13, "inconclusive"), "14 other rules"),
    ],
)
def test_the_evidence_of_a_rule_stands_once(
    make_document: MakeDocument,
    make_decision: Callable[..., GateDecision],
    verdicts: tuple[str, ...],
    table: str | None,
) -> None:
    """Under Evidence where it decides, else in the table of the other rules; with its n."""
    decision = make_decision(*verdicts)
    rules = tuple(
        replace(rule, samples_missing=None, could_show=None, evidence=f"as wide as barn {index}")
        for index, rule in enumerate(decision.rules)
    )
    page = report_html(replace(make_document(), decisions=(replace(decision, rules=rules),)))
    assert all(len(re.findall(rf"as wide as barn {n}\b", page)) == 1 for n in range(len(rules)))
    assert f"; n = {rules[0].n:,}." in page.replace("\u00a0", " ")
    known = re.findall("The policy's ([^<]*)</summary>", page)
    assert known == ([] if table is None else [table])
    if "inconclusive" in verdicts:
        assert "no number of further samples is known that would make it pass" in page


def test_a_chosen_student_needs_no_script(make_document: MakeDocument) -> None:
    """With several students a group of radio buttons shows one at a time, by style alone."""
    document = make_document()
    other = replace(document.students[0], student="tiny </style>")
    page = report_html(replace(document, students=(document.students[0], other)))
    assert page.count('type="radio"') == 2
    assert 'html:has(#choose-1:checked) [data-student]:not([data-student="1"])' in page
    assert "tiny &lt;/style&gt;" in page
    assert structure(page).problems == []


def test_a_router_stands_beside_simpler_rules(make_document: MakeDocument) -> None:
    """Its curve, its operating point, and the baselines with their marks."""
    page = report_html(replace(make_document(), router=evaluation())).replace("\u00a0", " ")
    assert 'id="router"' in page
    assert "On 200 samples that it has not seen; 800 samples refused" in page
    assert "always the teacher" in page
    assert "the promise was at most 2.0 %" in page
    assert structure(page).problems == []


def test_rules_at_one_place_share_a_label(make_document: MakeDocument) -> None:
    """Two letters on one point would cover each other."""
    found = evaluation()
    alike = replace(found.baselines[2], share=found.baselines[3].share, quality=0.8)
    others = (replace(found.baselines[3], quality=0.8), *found.baselines[4:])
    router = replace(found, baselines=(*found.baselines[:2], alike, *others))
    page = report_html(replace(make_document(), router=router))
    labels = re.findall(r"<text[^>]*>([TSRBO](?:, [TSRBO])*)</text>", page)
    assert labels == ["T", "S", "R, B", "O"]


def test_names_in_sentences_are_set_as_code(make_document: MakeDocument) -> None:
    """A setting between backticks, never markup that a text brings along."""
    notes = ("give `costs.big` a price: n = 5", "`<b>x</b>` and ` y` stay")
    page = report_html(replace(make_document(), notes=notes))
    assert "give <code>costs.big</code> a price: n\u00a0=\u00a05" in page
    assert "`&lt;b&gt;x&lt;/b&gt;` and ` y` stay" in page


def test_an_empty_run_has_a_report(make_document: MakeDocument) -> None:
    """No students, no samples: a page all the same."""
    document = make_document()
    page = report_html(replace(document, students=(), decisions=(), details=(), examples=()))
    assert structure(page).problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_colour_can_be_read(make_document: MakeDocument, theme: str) -> None:
    """At least 4.5 to 1 on the paper and on every tint (WCAG 2 AA)."""
    style = report_html(make_document())
    blocks = {"light": r":root \{(.*?)\}", "dark": r':root\[data-theme="dark"\] \{(.*?)\}'}
    block = re.search(blocks[theme], style, re.DOTALL)
    assert block is not None
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block.group(1)))
    for back in ("paper", "tint"):
        for text in ("ink", "muted", "accent", "alarm"):
            assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
    for back in ("gain", "loss"):
        assert contrast(colours["ink"], colours[back]) >= 4.5, back


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def evaluation() -> RouterEvaluation:
    names = ("always_teacher", "always_student", "random", "best_tasks", "oracle")
    return RouterEvaluation(
        router="router",
        config_hash="0" * 16,
        run="demo",
        n=200,
        refused=800,
        dropped=0,
        share=0.6,
        quality=wilson(178, 200),
        difference=wilson(1, 200),
        lost=3,
        gained=1,
        lost_rate=wilson(3, 150),
        unit="distinct prompt",
        level=0.02,
        saving=0.5,
        baselines=tuple(
            Baseline(name=name, share=index / 4, quality=0.9 - index / 50, lost_rate=0.01)
            for index, name in enumerate(names)
        ),
        tasks=(),
        curve=(
            CurvePoint(share=0.0, quality=0.9, lost_rate=0.0),
            CurvePoint(share=0.8, quality=0.85, lost_rate=0.06),
        ),
        reasons={"certified": 120, "unfamiliar": 80},
        notes=(),
    )
