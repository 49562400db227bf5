"""The suite that checks an installation is itself in order."""

import json
from pathlib import Path

import pytest

from kdeval.models.echo import EchoModel
from kdeval.records import Response
from kdeval.run.requests import as_request
from kdeval.store.tool_calls import as_tool_calls
from kdeval.suites import load_suite

FOLDER = Path(__file__).parents[3] / "suites" / "smoke"
NAMES = ("intent", "facts", "contact", "arithmetic", "tool_calls")


@pytest.mark.parametrize("name", NAMES)
def test_it_loads(name):
    suite = load_suite(FOLDER / f"{name}.yaml")
    assert len(suite.samples) == 8
    assert all(sample.reference is not None for sample in suite.samples)
    assert all(sample.slices for sample in suite.samples)


def test_it_covers_every_kind():
    kinds = {load_suite(FOLDER / f"{name}.yaml").kind for name in NAMES}
    assert kinds == {"classification", "multiple_choice", "extraction", "generation"}


@pytest.mark.parametrize("name", NAMES)
def test_its_own_references_are_right_answers(name):
    suite = load_suite(FOLDER / f"{name}.yaml")
    for sample in suite.samples:
        reference = sample.reference
        output = reference if isinstance(reference, str) else json.dumps(reference)
        calls = as_tool_calls(reference) if sample.tools else None
        for scorer in suite.scorers:
            response = Response(output=output, tool_calls=calls)
            assert scorer.score(sample, response).value == 1, sample.id


@pytest.mark.parametrize("name", NAMES)
def test_the_fake_model_can_be_marked_on_it(name):
    suite = load_suite(FOLDER / f"{name}.yaml")
    model = EchoModel()
    ask = {"classification": model.classify, "multiple_choice": model.score_choices}
    for sample in suite.samples:
        (response,) = ask.get(suite.kind, model.generate)([as_request(sample)])
        assert all(scorer.score(sample, response).value is not None for scorer in suite.scorers)


def test_it_has_a_data_card():
    text = (FOLDER / "DATA_CARD.md").read_text(encoding="utf-8")
    for part in ("What it is", "What it is not", "Where it comes from", "Fields", "Known faults"):
        assert f"## {part}" in text
