"""What the layers learnt, in every form of the report, from figures written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from kdeval.compare.hidden_states import (
    AttentionFigures,
    AttentionPair,
    HiddenStateFigures,
)
from kdeval.report.details import StudentDetails
from kdeval.report.document import ReportDocument
from kdeval.report.html.charts.heat_map import heat_map
from kdeval.report.html.page import report_html
from kdeval.report.layer_words import (
    attention_words,
    layer_lines,
    layer_ranges,
    layer_words,
    mapping_words,
    relation_words,
)
from kdeval.report.markdown import report_markdown
from kdeval.report.schema import json_schema
from kdeval.report.strict_json import json_text
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.representation.layers import LayerMatch
from kdeval.stats.representation.relations import Relation, RelationSimilarity

MakeDocument = Callable[..., ReportDocument]
HOW: dict[str, Any] = {"confidence": 0.95, "method": "test", "n": 40, "clusters": None}


def interval(estimate: float, half: float | None = 0.01) -> Interval:
    ends = (None, None) if half is None else (estimate - half, estimate + half)
    return Interval(estimate=estimate, low=ends[0], high=ends[1], confidence=0.95, method="test",
                    n=40, clusters=None)  # fmt: skip


def pair(student: int, teacher: int, cka: float, nearest: int | None = None) -> LayerMatch:
    return LayerMatch(student=student, teacher=teacher, cka=interval(cka),
                      nearest=teacher if nearest is None else nearest, nearest_cka=cka + 0.005,
                      as_near=(teacher, 3) if teacher != 3 else (3,))  # fmt: skip


def attended(student: int, teacher: int, **changes: Any) -> AttentionPair:
    found = AttentionPair(student=student, teacher=teacher, divergence=interval(0.1 * student),
                          beyond_first=interval(0.2), matched_heads=interval(0.3), kept_heads=2,
                          heads=4, teacher_first=0.5, student_first=0.4)  # fmt: skip
    return replace(found, **changes)


def figures(name: str = "<b>suite", **changes: Any) -> HiddenStateFigures:
    found = HiddenStateFigures(
        suite=name, tokens="mean", samples=40, left_out={"student: it has no token": 2},
        teacher_layers=(0, 1, 2, 3, 4), student_layers=(0, 1, 2),
        cka=((1.0, 0.5, 0.2, 0.1, 0.0), (0.4, 0.8, 0.7, None, -0.1), (0.1, 0.2, 0.3, 0.9, 0.91)),
        pairs=(pair(0, 0, 0.99), pair(1, 1, 0.8), pair(2, 3, 0.9, nearest=4)),
        mean=interval(0.9), unmatched=(2, 4), unrelated=0.12,
        relations=RelationSimilarity(
            distances=Relation(n=40, correlation=interval(0.7), loss=interval(0.05)),
            angles=Relation(n=40, correlation=interval(0.6), loss=interval(0.06)),
        ),
        attention=AttentionFigures(samples=30, pairs=(attended(1, 1), attended(2, 3)),
                                   left_out={"teacher: longer than 512 tokens": 2}),
    )  # fmt: skip
    return replace(found, **changes)


@pytest.fixture
def document(make_document: MakeDocument) -> ReportDocument:
    made = make_document()
    details = StudentDetails(student=made.students[0].student, suites=(), latency=None,
                             layers=(figures(),))  # fmt: skip
    return replace(made, details=(details,))


def test_the_page_has_the_section_escaped(document: ReportDocument) -> None:
    """The map, the sentences, a row a layer; and a place in the contents."""
    page = report_html(document)
    section = page[page.index('id="layers"') : page.index('id="speed"')]
    for words in ("0.900 [0.890, 0.910] in the mean", "0–1, 3, none with 2, 4", "4 (0.905)",
                  "50.0\u00a0%", "2 of 4", "Left out: 2 x student: it has no token",
                  "Each layer of the student: 3 pairs"):  # fmt: skip
        assert words in section, words
    assert '<a href="#layers">Layers</a>' in page
    assert "<b>suite" not in page
    assert "style=" not in section


def test_a_run_without_them_has_no_word_of_it(document: ReportDocument) -> None:
    """No section, no line."""
    bare = replace(document, details=(replace(document.details[0], layers=()),))
    page = report_html(bare)
    assert 'id="layers"' not in page
    assert "#layers" not in page
    assert "What the layers learnt" not in report_markdown(bare)
    assert "What the layers learnt" in report_markdown(document)


def test_the_json_keeps_every_figure_and_its_schema(document: ReportDocument) -> None:
    """What is unknown is null; the schema names all of it."""
    written = json.loads(json_text(document))
    jsonschema.validate(written, json_schema("report"))
    [layers] = written["details"][0]["layers"]
    assert layers["cka"][1] == [0.4, 0.8, 0.7, None, -0.1]
    assert layers["pairs"][2]["nearest"] == 4
    assert layers["attention"]["pairs"][0]["kept_heads"] == 2


def test_words_say_what_is_known() -> None:
    """Doubt of the mapping, the least alike, the first token's share."""
    said = mapping_words(figures())
    assert "without regard to order 1 layer would go with another one" in said
    assert "of 2 layers these samples do not tell which" in said
    assert "the student's layer 1 and the teacher's layer 1: 0.800" in layer_words(figures())
    attention = attention_words(figures().attention)
    assert "0.100 to 0.200 bits" in attention
    assert "which draws 50.0 % of the teacher's" in attention
    assert "Without maps: 2 x teacher: longer than 512 tokens." in attention
    assert layer_ranges([4, 1, 2, 3, 7]) == "1–4, 7"


def test_a_copy_is_called_the_same() -> None:
    """No interval stands beside figures that no sample changes."""
    same = tuple(replace(pair(i, i, 1.0), cka=interval(1.0, None)) for i in range(3))
    said = layer_words(figures(pairs=same, mean=interval(1.0, None)))
    assert said.startswith("CKA 1.000 in the mean")
    assert "All of them are the same, up to rounding." in said


def test_angles_that_are_not_known_are_left_out() -> None:
    """Where hardly two samples lie apart: no dash in a sentence."""
    kept = figures().relations
    assert kept is not None
    assert relation_words(figures()).endswith("(0.0600 [0.0500, 0.0700]; 40 samples).")
    nothing = Relation(n=40, correlation=unknown("none", **HOW), loss=unknown("none", **HOW))
    said = relation_words(figures(relations=replace(kept, angles=nothing)))
    assert said.endswith("(Huber loss 0.0500 [0.0400, 0.0600]).")


def test_nothing_compared_says_why() -> None:
    """Too few samples; maps that no model returns; both ways of reading."""
    few = figures(pairs=(), mean=None, cka=(), relations=None, attention=None,
                  reason="both models read 3 of its samples, and 8 are needed")  # fmt: skip
    details = StudentDetails(student="s", suites=(), latency=None, layers=(few,))
    first, meaning = layer_lines(details)
    assert "Nothing is compared: both models read 3 of its samples, and 8 are needed." in first
    assert "does not judge" in meaning
    assert heat_map(few, title="t", name="a") is None
    none = AttentionFigures(
        samples=0,
        pairs=(),
        left_out={"the two read it as different tokens, by tokenizer or chat template": 9},
    )
    assert attention_words(none) == (
        "Attention is not compared: 9 x the two read it as different tokens, by tokenizer or chat "
        "template."
    )
    both_ways = attended(1, 1, beyond_first=None, matched_heads=None)
    said = attention_words(AttentionFigures(samples=9, pairs=(both_ways,), left_out={}))
    assert "first token" not in said
    assert "head by head" not in said


def test_the_map_draws_what_is_known_and_stays_small() -> None:
    """A square each, darker for more; the mapping; no cell for what is unknown or below 0."""
    chart = heat_map(figures(), title="t", name="a")
    assert chart is not None
    root = ElementTree.fromstring(str(chart.svg))
    shades = [float(item.get("fill-opacity", 1)) for item in root.iter("path")
              if item.get("fill") == "var(--accent)"]  # fmt: skip
    assert max(shades) == 1
    points = [item for item in root.iter("path") if item.get("fill") == "var(--paper)"]
    crosses = [item for item in root.iter("path") if item.get("fill") == "var(--alarm)"]
    assert (len(points), len(crosses)) == (3, 1)
    deep = tuple(range(81))
    table = tuple(tuple(1 / (1 + abs(i - j)) for j in deep) for i in deep)
    many = figures(cka=table, teacher_layers=deep, student_layers=deep,
                   pairs=tuple(pair(i, i, 1.0) for i in deep))  # fmt: skip
    large = heat_map(many, title="t", name="a")
    assert large is not None
    assert len(str(large.svg)) < 200_000
