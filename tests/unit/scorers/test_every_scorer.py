"""What all scorers promise."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.records import Response, Sample
from kdeval.scorers.protocol import Scorer, reference_problem, requires_reference
from kdeval.scorers.registry import BUILT_IN, resolve_scorer

MARKING = sorted(set(BUILT_IN) - {"recorded_score"})
OF_OUTPUTS = sorted(set(MARKING) - {"perplexity", "bits_per_byte"})
REFERENCES = {
    "json_fields": {"a": 1},
    "numeric": "42",
    "multiple_choice": "B",
    "ndcg": ["d1"],
    "recall": ["d1"],
    "tool_call": [{"name": "look", "arguments": {"at": 1}}],
    "tool_call_f1": [{"name": "look", "arguments": {"at": 1}}],
}
WITHOUT_REFERENCE = {"recorded_score", "json_schema"}
NAMES = {"recorded_score": "score", "ndcg": "ndcg@10", "recall": "recall@10"}


def sample(name, **more):
    given = {
        "id": "1",
        "suite": "s",
        "task": "s",
        "kind": "generation",
        "input": "text",
        "reference": REFERENCES.get(name, "yes"),
        "choices": ("first", "second"),
        "labels": ("yes", "no"),
        "content_hash": "0",
        "tools": ('{"type":"function","function":{"name":"look"}}',),
        "response_schema": '{"type":"object"}',
    }
    return Sample(**{**given, **more})


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_it_keeps_the_protocol(name):
    scorer = resolve_scorer(name)
    assert isinstance(scorer, Scorer)
    assert scorer.metric.name == NAMES.get(name, name)
    assert requires_reference(scorer) == (name not in WITHOUT_REFERENCE)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_its_metric_can_be_renamed(name):
    assert resolve_scorer({"type": name, "name": "other"}).metric.name == "other"


@pytest.mark.parametrize("name", MARKING)
@pytest.mark.parametrize(
    ("response", "reference", "reason"),
    [
        (Response(error="timeout"), "keep", "no answer: timeout"),
        (Response(score=1.0), "keep", "no output was recorded"),
        (Response(output="x"), None, "the sample has no reference"),
    ],
)
def test_what_cannot_be_marked_is_missing_with_a_reason(name, response, reference, reason):
    if reference is None and name in WITHOUT_REFERENCE:
        return
    asked = sample(name) if reference == "keep" else sample(name, reference=None)
    score = resolve_scorer(name).score(asked, response)
    assert (score.value, score.reason, score.scorer) == (None, reason, NAMES.get(name, name))


@pytest.mark.parametrize("name", OF_OUTPUTS)
@pytest.mark.parametrize(
    "output",
    [
        "",
        "   ",
        "\x00",
        "\ud800",
        "[" * 50_000,
        "9" * 50_000,
        "1e999999",
        "```json\n```",
        "💥" * 99,
    ],
)
def test_a_hostile_output_is_marked_not_raised(name, output):
    """A bad answer is a bad score: never an exception, never missing."""
    scorer = resolve_scorer(name)
    score = scorer.score(sample(name), Response(output=output, tool_calls=()))
    assert score.value is not None
    if scorer.metric.higher_is_better:
        assert 0 <= score.value < 0.5
    else:
        assert score.value >= 0.5


@pytest.mark.parametrize("name", OF_OUTPUTS)
@settings(deadline=None)
@given(output=st.text(st.characters()))
def test_scores_stay_within_the_metric(name, output):
    scorer = resolve_scorer(name)
    score = scorer.score(sample(name), Response(output=output, tool_calls=()))
    assert score.value is not None
    assert math.isfinite(score.value)
    high = math.inf if scorer.metric.high is None else scorer.metric.high
    assert scorer.metric.low <= score.value <= high


@pytest.mark.parametrize("name", MARKING)
def test_a_sample_without_reference_has_no_reference_problem(name):
    assert reference_problem(resolve_scorer(name), sample(name, reference=None)) is None
