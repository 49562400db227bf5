"""Marks of tool calls and of JSON that a schema asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.errors import ConfigError
from kdeval.records import Response, Sample, ToolCall
from kdeval.scorers.registry import resolve_scorer
from kdeval.store.tool_calls import as_tool_calls
from kdeval.store.tool_definitions import as_tools

TOOLS = as_tools([{"name": "f"}, {"name": "g"}])
F, G = {"name": "f", "arguments": {"a": 1, "b": "x"}}, {"name": "g", "arguments": {}}


def sample(reference: Any, **more: Any) -> Sample:
    given = {"id": "1", "suite": "s", "task": "s", "kind": "generation", "input": "x",
             "content_hash": "0", "tools": TOOLS, "reference": reference}  # fmt: skip
    return Sample(**{**given, **more})


def marked(spec: Any, reference: Any, calls: Any) -> tuple[float | None, str | None]:
    made = calls if calls is None or isinstance(calls, tuple) else as_tool_calls(calls)
    score = resolve_scorer(spec).score(sample(reference), Response(output="", tool_calls=made))
    return score.value, score.reason


def f(**arguments: Any) -> dict[str, Any]:
    return {"name": "f", "arguments": arguments}


@pytest.mark.parametrize(
    ("reference", "calls", "value", "partial"),
    [
        ([F], [f(b="x", a=1.0)], 1, 1),
        ([F], [{"function": {"name": "f", "arguments": '{"a": 1, "b": "x"}'}}], 1, 1),
        ('[{"name": "f", "arguments": {"a": 1, "b": "x"}}]', [F], 1, 1),
        ([F], [f(a=1, b="y")], 0, 2 * 2 / 6),
        ([F], [f(a=1)], 0, 2 * 2 / 5),
        ([F], [f(a=1, b="x", c=0)], 0, 2 * 3 / 7),
        ([F], [{"name": "g", "arguments": F["arguments"]}], 0, 0),
        ([F], [], 0, 0),
        ([F], [F, F], 0, 2 * 3 / 9),
        ([F, G], [G, F], 1, 1),
        ([F, G], [F], 0, 2 * 3 / 7),
        ([], [], 1, 1),
        ([], [G], 0, 0),
        ([f(a=True)], [f(a=1)], 0, 2 / 4),
        ([f(a="1")], [f(a=1)], 0, 2 / 4),
        ([f(a=None)], [f()], 0, 2 / 3),
        ([f(a=[1, {"x": 2}])], [f(a=[1.0, {"x": 2.0}])], 1, 1),
        ([f(a=[1, 2])], [f(a=[2, 1])], 0, 2 / 4),
        ([F], (ToolCall(name="f", arguments='{"a": 1,', valid=False),), 0, 2 / 5),
        ([], (ToolCall(name=None, arguments="", valid=False),), 0, 0),
    ],
)  # fmt: skip
def test_calls_are_marked(reference: Any, calls: Any, value: float, partial: float) -> None:
    """Whole calls are right or wrong; F1 counts names and arguments, and no call is an answer."""
    assert marked("tool_call", reference, calls)[0] == value
    assert marked("tool_call_f1", reference, calls)[0] == pytest.approx(partial)


@pytest.mark.parametrize(
    ("options", "reference", "calls", "value"),
    [
        ({"any_order": False}, [F, G], [G, F], 0),
        ({"any_order": False}, [F, G], [F, G], 1),
        ({"ignore_arguments": True}, [F], [f(z=0)], 1),
        ({"ignore_arguments": True}, [F], [G], 0),
        ({"ignore_arguments": True}, [], [G], 0),
        ({"ignore_arguments": ["b"]}, [F], [f(a=1, b="y")], 1),
        ({"ignore_arguments": ["b"]}, [F], [f(a=1)], 1),
        ({"ignore_arguments": ["b"]}, [F], [f(a=2, b="x")], 0),
        ({"null_is_absent": True}, [f(a=None)], [f()], 1),
        ({"null_is_absent": True}, [f(a=0)], [f()], 0),
        ({"ignore_arguments": True}, [F], (ToolCall(name="f", arguments="{", valid=False),), 0),
    ],
)
def test_options(options: dict[str, Any], reference: Any, calls: Any, value: float) -> None:
    """What may differ is said; a call that cannot be carried out is wrong all the same."""
    assert marked({"type": "tool_call", **options}, reference, calls)[0] == value


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([], "no call where one is right"),
        ([G], "another function, or another number of calls"),
        ([f(a=2)], "other arguments"),
        ((ToolCall(name="f", arguments="{", valid=False),), "a call has no JSON object of argum"),
        ([F], None),
    ],
)
def test_a_wrong_call_says_why(calls: Any, reason: str | None) -> None:
    for name in ("tool_call", "tool_call_f1"):
        told = marked(name, [F], calls)[1]
        assert told is None if reason is None else (told or "").startswith(reason)
    assert marked("tool_call", [], [G])[1] == "a call where none is right"


def test_a_model_that_tells_nothing_of_calls_is_not_marked() -> None:
    """Unknown is no wrong answer, and no right one where no call is right."""
    for reference in ([F], []):
        assert marked("tool_call", reference, None) == (
            None, "the model tells nothing of tool calls",
        )  # fmt: skip


def test_a_row_without_tools_needs_no_calls() -> None:
    """Where nothing is offered nothing can be called."""
    score = resolve_scorer("tool_call").score(sample([], tools=()), Response(output="x"))
    assert score.value == 1


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("nonsense", "no list of tool calls"),
        ([{"name": "h"}], "calls 'h', which is not offered; valid: f, g"),
        ([{"name": "f", "arguments": "[1]"}], "arguments must be a JSON object"),
        ({"a": 1}, "no list of tool calls"),
    ],
)
def test_a_reference_that_cannot_be_called_is_refused(reference: Any, reason: str) -> None:
    for name in ("tool_call", "tool_call_f1"):
        problem = resolve_scorer(name).reference_problem(sample(reference))  # type: ignore[attr-defined]
        assert reason in (problem or "")


ARGUMENTS = st.dictionaries(
    st.sampled_from("abc"), st.integers(0, 2) | st.booleans() | st.none() | st.sampled_from("xy"),
    max_size=3,
)  # fmt: skip
LISTS = st.lists(
    st.builds(lambda name, given: {"name": name, "arguments": given}, st.sampled_from("fg"),
              ARGUMENTS), max_size=3,
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(one=LISTS, other=LISTS)
def test_both_marks_agree(one: Any, other: Any) -> None:
    """F1 is 1 where the calls are right, symmetric, and 0 only where nothing is shared."""
    exact, partial = marked("tool_call", one, other)[0], marked("tool_call_f1", one, other)[0]
    assert partial is not None
    assert 0 <= partial <= 1
    assert partial == pytest.approx(marked("tool_call_f1", other, one)[0])
    if exact == 1:
        assert partial == 1
    if partial == 0:
        assert not {call["name"] for call in one} & {call["name"] for call in other}


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="ignore_arguments"):
        resolve_scorer({"type": "tool_call", "ignore_arguments": "some"})


@pytest.mark.parametrize(
    ("output", "value", "reason"),
    [
        ('{"a": 1}', 1, None),
        (' {"a": 1.0}\n', 1, None),
        ('{"a": "1"}', 0, "$.a: '1' is not of type 'integer'"),
        ("{}", 0, "$: 'a' is a required property"),
        ('```json\n{"a": 1}\n```', 0, "the output is not JSON"),
        ('{"a": 1} {"a": 1}', 0, "the output is not JSON"),
        ('{"a": NaN}', 0, "the output is not JSON"),
        ("", 0, "the output is not JSON"),
    ],
)
def test_json_is_held_against_the_schema(output: str, value: float, reason: str | None) -> None:
    """The whole output must be one value that the schema allows; a reference is not needed."""
    schema = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'
    asked = sample(None, response_schema=schema)
    score = resolve_scorer("json_schema").score(asked, Response(output=output))
    assert score.value == value
    assert (score.reason or "").startswith(reason or "")


def test_an_error_or_a_sample_without_a_schema_is_not_marked() -> None:
    scorer = resolve_scorer("json_schema")
    assert scorer.score(sample(None), Response(output="{}")).value is None
    asked = sample(None, response_schema="{}")
    assert scorer.score(asked, Response(error="timeout")).reason == "no answer: timeout"
