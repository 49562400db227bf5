"""Tool calls, tool definitions, conversations and schemas, read from what logs hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.models.protocols import Model, Request
from kdeval.models.request_keys import request_key
from kdeval.records import Message, Response, Sample, ToolCall, canonical_json
from kdeval.run.requests import as_request
from kdeval.store.chat_messages import as_messages
from kdeval.store.json_schemas import as_schema, value_problem
from kdeval.store.response_json import decode_response, encode_response
from kdeval.store.tool_calls import as_tool_calls, json_value, message_content, tool_call
from kdeval.store.tool_definitions import as_tools, tool_name, tool_signature

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)


@settings(deadline=None, max_examples=40)
@given(calls=st.lists(st.tuples(NAMES, OBJECTS), max_size=3))
def test_every_form_of_a_call_is_read_alike(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """A plain object, OpenAI's with arguments as JSON text, and the JSON text of either list."""
    expected = tuple(ToolCall(name=name, arguments=arguments) for name, arguments in calls)
    plain = [{"name": name, "arguments": arguments} for name, arguments in calls]
    openai = [
        {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for name, arguments in calls
    ]
    for form in (plain, openai, json.dumps(plain), json.dumps(openai)):
        assert as_tool_calls(form) == expected


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.builds(
            tool_call,
            NAMES | st.none() | st.just(" "),
            OBJECTS | st.text(max_size=30) | st.none() | st.lists(st.integers(), max_size=2),
            st.none() | st.text(max_size=5),
        ),
        max_size=3,
    )
)
def test_calls_survive_the_store(calls: list[ToolCall]) -> None:
    """Valid or not, with or without an id, they come back as they were."""
    response = Response(output="", tool_calls=tuple(calls))
    assert decode_response(encode_response(response)) == response


def test_absent_calls_stay_absent() -> None:
    """None is nothing known, () is no call; only the second is written."""
    assert "tool_calls" not in encode_response(Response(output="x"))
    assert decode_response(encode_response(Response(output="x"))).tool_calls is None
    assert decode_response(encode_response(Response(output="x", tool_calls=()))).tool_calls == ()


@pytest.mark.parametrize(
    ("arguments", "kept", "valid"),
    [
        ('{"a": 1}', {"a": 1}, True),
        ("", {}, True),
        (None, {}, True),
        ('{"a": ', '{"a": ', False),
        ("[1]", "[1]", False),
        ('"a"', '"a"', False),
        ('{"a": NaN}', '{"a": NaN}', False),
        ('{"a": 1e999}', '{"a": 1e999}', False),
        ([1], "[1]", False),
    ],
)
def test_arguments_that_are_no_object_stay_text(arguments: Any, kept: Any, valid: bool) -> None:
    """What was written badly is kept as it was written, and flagged."""
    call = tool_call("f", arguments)
    assert (call.arguments, call.valid) == (kept, valid)


@pytest.mark.parametrize("depth", [101, 5_000, 200_000])
def test_deep_nesting_is_no_json(depth: int) -> None:
    """It would exhaust the stack of whatever handles it later."""
    with pytest.raises(ValueError, match="nested deeper than 100"):
        json_value("[" * depth + "]" * depth)
    assert not tool_call("f", '{"a":' * depth + "1" + "}" * depth).valid


@pytest.mark.parametrize("value", ["no json", 3, [3], ["f"], [{"arguments": {}}], {"a": 1}])
def test_what_is_no_list_of_calls_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"call|JSON"):
        as_tool_calls(value)


def test_a_call_is_shown_the_same_whatever_its_key_order() -> None:
    """So that two answers that mean the same count as the same output."""
    one = tool_call("f", '{"b": 1.0, "a": "é"}')
    other = tool_call("f", {"a": "é", "b": 1})
    assert one.text == other.text == 'call f({"a": "é", "b": 1})'
    assert tool_call(None, "{oops\n").text == "call ?, not valid: {oops"
    assert tool_call("f", '{"a": ').text == 'call f, not valid: {"a":'


@settings(deadline=None, max_examples=40)
@given(OBJECTS)
def test_canonical_json_is_the_same_value(value: dict[str, Any]) -> None:
    assert json.loads(canonical_json(value)) == value


def test_an_answer_is_the_output_and_its_calls() -> None:
    call = tool_call("f", {})
    assert Response(output="x", tool_calls=(call,)).answer == "x\ncall f({})"
    assert Response(output="", tool_calls=(call, call)).answer == "call f({})\ncall f({})"
    assert Response(output="", tool_calls=()).answer == ""
    assert Response(error="e").answer is None


class TestTools:
    def test_definitions_are_wrapped_and_keep_their_order(self) -> None:
        """The order of keys is what a chat template shows the model."""
        bare = {"name": "f", "description": "d", "parameters": {"type": "object", "a": 1}}
        (tool,) = as_tools([bare])
        assert tool == (
            '{"type":"function","function":{"name":"f","description":"d",'
            '"parameters":{"type":"object","a":1}}}'
        )
        assert as_tools(json.dumps([json.loads(tool)])) == (tool,)
        assert tool_name(tool) == "f"

    def test_input_schema_is_called_parameters(self) -> None:
        (tool,) = as_tools([{"name": "f", "input_schema": {"type": "object"}}])
        assert json.loads(tool)["function"] == {"name": "f", "parameters": {"type": "object"}}

    def test_equal_lists_are_one_object(self) -> None:
        """So that a column with the same tools in 100,000 rows takes no memory."""
        tools = [{"name": "f"}]
        assert as_tools(tools) is as_tools(json.loads(json.dumps(tools)))

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("x", "no JSON|Expecting"),
            ({"name": "f"}, "expected a list"),
            (["f"], "tool 0 is no function"),
            ([{"description": "d"}], "tool 0 has no name"),
            ([{"type": "function", "function": {"name": " "}}], "tool 0 has no name"),
            ([{"name": "f"}, {"name": "f"}], "two tools are called 'f'"),
            ([{"type": "web_search", "function": {"name": "f"}}], "of type 'web_search'"),
            ([{"name": "f", "parameters": {"type": "text"}}], "'f': parameters: no valid JSON Sch"),
            ([{"name": "f", "parameters": [1]}], "parameters: a JSON Schema must be an object"),
            ([{"name": "\ud800"}], "no JSON|surrogates"),
        ],
    )
    def test_what_is_no_tool_is_refused(self, value: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            as_tools(value)

    def test_a_signature_tells_types_and_what_is_optional(self) -> None:
        properties = {"at": {"type": "string"}, "n": {"type": ["integer", "null"]}, "x": {}}
        schema = {"type": "object", "properties": properties, "required": ["at"]}
        (tool,) = as_tools([{"name": "f", "description": "Does.", "parameters": schema}])
        assert tool_signature(tool) == "f(at: string, n?: integer | null, x?): Does."


class TestMessages:
    def test_openai_messages(self) -> None:
        """Calls with arguments as text, null contents, parts, and the older function_call."""
        found = as_messages(
            [
                {"role": "user", "content": [{"type": "text", "text": "a"}, "b"], "name": None},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "t"},
                {"role": "assistant", "content": None,
                 "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "t"},
            ]
        )  # fmt: skip
        assert found == (
            Message(role="user", content="a\nb"),
            Message(role="assistant", content="",
                    tool_calls=(ToolCall(name="f", arguments={}, id="c"),)),
            Message(role="tool", content="t", tool_call_id="c"),
            Message(role="assistant", content="", tool_calls=(ToolCall(name="f", arguments={}),)),
            Message(role="tool", content="t", name="f"),
        )  # fmt: skip
        assert found[1].text == "call f({})"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("hello", "no JSON"),
            ([], "expected a list"),
            ([{"role": "robot", "content": "x"}], "message 0 has role 'robot'"),
            (["x"], "message 0 has role None"),
            ([{"role": "user", "content": None}], "message 0 .user. has no content"),
            ([{"role": "user", "content": 3}], "must be a text or a list of parts"),
            ([{"role": "user", "content": [{"type": "image_url"}]}], "type 'image_url': only text"),
            (
                [{"role": "user", "content": "x", "tool_calls": [{"name": "f"}]}],
                "only an assistant",
            ),
            ([{"role": "assistant", "tool_calls": [{}]}], "a call has no name"),
        ],
    )
    def test_what_is_no_conversation_is_refused(self, value: Any, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            as_messages(value)


class TestSchemas:
    def test_a_value_is_held_against_a_schema(self) -> None:
        schema = as_schema({"type": "object", "properties": {"a": {"type": "integer"}},
                            "required": ["a"]})  # fmt: skip
        assert value_problem(schema, {"a": 1}) is None
        assert value_problem(schema, {"a": "1"}) == "$.a: '1' is not of type 'integer'"
        assert value_problem(schema, {}) == "$: 'a' is a required property"

    def test_definitions_inside_a_schema_are_followed(self) -> None:
        schema = as_schema({"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}})
        assert value_problem(schema, [1]) is None
        assert value_problem(schema, ["1"]) == "$[0]: '1' is not of type 'number'"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ({"type": "text"}, "no valid JSON Schema: 'text' is not valid"),
            ({"pattern": "("}, "no valid JSON Schema"),
            ({"$ref": "#/$defs/x"}, "leads nowhere"),
            ({"$ref": "https://example.com/s.json"}, "not fetched"),
            ({"$ref": "#"}, "leads back to itself"),
            ([1], "must be an object"),
            ("{", "no JSON"),
        ],
    )
    def test_what_is_no_schema_is_refused(self, value: Any, reason: str) -> None:
        """Also one that would send kdeval to the network, or round in circles."""
        with pytest.raises(ValueError, match=reason):
            as_schema(value)


class _Fake:
    fingerprint = "f"


def _key(**more: Any) -> str:
    model: Model = _Fake()
    given = {"sample_id": "1", "suite": "s", "kind": "generation", "input": "x", **more}
    return request_key(model, "f", Request(**given))


def test_keys_of_plain_requests_are_what_they_were() -> None:
    """No stored answer is lost: these digests were taken before there were tools."""
    assert _key() == "e0b79a0d939a6dfd40e9ce37b90b60f9ebce328d9fbab67318c1dedaa1e414f4"
    messages = (Message(role="system", content="a"), Message(role="user", content="b"))
    assert (
        _key(input=messages) == "0e2a82230a21a31debed981e6447f8700e7e1b8264384f40c20385d69ff3ab52"
    )
    assert message_content(messages[0]) == ["system", "a"]


def test_keys_cover_all_that_a_model_sees_of_tools() -> None:
    """Other tools, another order of their keys, a schema, an earlier call: another answer."""
    call = ToolCall(name="f", arguments={"a": 1})
    said = Message(role="assistant", content="x")
    parameters = {"type": "object", "title": "t"}
    turned = dict(reversed(parameters.items()))
    keys = [
        _key(),
        _key(tools=as_tools([{"name": "f", "parameters": parameters}])),
        _key(tools=as_tools([{"name": "f", "parameters": turned}])),
        _key(tools=as_tools([{"name": "g"}])),
        _key(response_schema="{}"),
        _key(input=(said,)),
        _key(input=(Message(role="assistant", content="x", tool_calls=(call,)),)),
        _key(input=(Message(role="tool", content="x"),)),
        _key(input=(Message(role="tool", content="x", tool_call_id="1"),)),
        _key(input=(Message(role="tool", content="x", name="f"),)),
    ]
    assert len(set(keys)) == len(keys)


def test_a_request_has_what_its_sample_offers() -> None:
    tools = as_tools([{"name": "f"}])
    sample = Sample(id="1", suite="s", task="s", kind="generation", input="x", content_hash="0",
                    tools=tools, response_schema="{}")  # fmt: skip
    asked = as_request(sample)
    assert (asked.tools, asked.response_schema) == (tools, "{}")
