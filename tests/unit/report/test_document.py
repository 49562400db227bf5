from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from kdeval.gate.baseline import write_baseline
from kdeval.gate.decision import GateDecision
from kdeval.report.document import ReportDocument
from kdeval.report.examples import TEXT_LIMIT
from kdeval.report.schema import SCHEMA_NAMES, json_schema
from kdeval.report.strict_json import as_json, json_text

MakeDocument = Callable[..., ReportDocument]


def lost_of(document: ReportDocument) -> list[str]:
    return [item.sample_id for item in document.examples[0].items if item.kind == "lost"]


def test_the_examples_are_the_flips(make_document: MakeDocument) -> None:
    """Lost ones first, in the suite's order, with both sides of each."""
    (examples,) = make_document(40).examples
    (found,) = examples.counts
    assert (found.metric, found.lost, found.gained) == ("exact", 10, 4)
    assert not any(found.left_out.values())
    kinds = [item.kind for item in examples.items]
    assert kinds == ["lost"] * 10 + ["gained"] * 4 + ["both_right"] * 26
    assert (found.both_right, found.both_wrong) == (26, 0)
    first = examples.items[0]
    assert (first.sample_id, first.teacher_score, first.student_score) == ("s0", 1.0, 0.0)
    assert first.slices == {"domain": "news"}
    assert first.text is not None
    assert first.text.reference == "no"


def test_the_examples_are_drawn_by_seed(make_document: MakeDocument) -> None:
    """Too many: a seeded draw, in order, and the number left out."""
    document = make_document(400, max_examples=20)
    (examples,) = document.examples
    (found,) = examples.counts
    assert (found.left_out["lost"], found.left_out["gained"]) == (80, 20)
    drawn = lost_of(document)
    assert len(drawn) == 20
    assert drawn == sorted(drawn, key=lambda name: int(name[1:]))
    assert drawn != [f"s{4 * index}" for index in range(20)]
    assert drawn == lost_of(make_document(400, text="x", max_examples=20))


def test_without_text_nothing_is_quoted(make_document: MakeDocument, hostile: str) -> None:
    """No input, reference, output, nor a recorded reason that may quote one."""
    quiet = make_document(include_text=False)
    assert not quiet.text_included
    text = json_text(quiet)
    assert "alert" not in text
    assert "answer" not in text
    assert "timed out" not in text
    assert all(item.text is None for item in quiet.examples[0].items)
    assert quiet.students[0].cells[0].missing.total == 3
    assert "alert" in json_text(make_document(n=44))


def test_long_texts_are_cut(make_document: MakeDocument) -> None:
    """A text of 100 kB does not make a report of megabytes."""
    document = make_document(40, text="y" * 100_000)
    for item in document.examples[0].items:
        assert item.text is not None
        assert len(item.text.input) < TEXT_LIMIT + 40
        assert item.text.input.endswith("more characters]")


@pytest.mark.parametrize("include_text", [True, False])
def test_a_report_obeys_its_schema(make_document: MakeDocument, include_text: bool) -> None:
    """As JSON Schema, and as the type it was made from, in strict mode."""
    text = json_text(make_document(include_text=include_text))
    schema = json_schema("report")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(text), schema)
    read = TypeAdapter(ReportDocument).validate_json(text, strict=True)
    assert as_json(read) == json.loads(text)


def test_a_decision_obeys_its_schema(make_decision: Callable[..., GateDecision]) -> None:
    """The same for the gate's JSON."""
    text = json_text(make_decision())
    jsonschema.validate(json.loads(text), json_schema("gate"))
    assert TypeAdapter(GateDecision).validate_json(text, strict=True) == make_decision()


def test_a_baseline_obeys_its_schema(make_run: Callable[..., Any], tmp_path: Any) -> None:
    """The same for a baseline file."""
    write_baseline(tmp_path / "baseline.json", make_run())
    data = json.loads((tmp_path / "baseline.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, json_schema("baseline"))


def test_a_policy_obeys_its_schema() -> None:
    """A policy is checked by the schema as it is by the loader."""
    schema = json_schema("policy")
    jsonschema.validate({"rules": [{"metric": "retention", "min": 0.95}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": [{"metric": "retention", "mni": 0.95}]}, schema)
    with pytest.raises(jsonschema.ValidationError, match="metric"):
        jsonschema.validate({"rules": [{"min": 0.95}]}, schema)
    assert "halved" in schema["$defs"]["Rule"]["properties"]["metric"]["description"]


@pytest.mark.parametrize("change", ["extra", "missing", "kind", "version"])
def test_a_foreign_document_breaks_the_schema(make_document: MakeDocument, change: str) -> None:
    """A schema that accepts everything would be no promise."""
    data = as_json(make_document())
    if change == "extra":
        data["students"][0]["surprise"] = 1
    elif change == "missing":
        del data["students"][0]["cells"]
    elif change == "kind":
        data["kind"] = "kdeval.gate"
    else:
        data["schema_version"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema("report"))


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_schema_is_one(name: Any) -> None:
    """Each is a valid draft 2020-12 schema with a title."""
    schema = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"kdeval {name}"
    assert schema["$schema"].endswith("2020-12/schema")
