"""Tools and response schemas through an API: what is sent, and what is read of the reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kdeval.config.api_models import ApiModelConfig
from kdeval.models.api.model import ApiModel
from kdeval.models.protocols import Request
from kdeval.records import Message, Response, ToolCall
from kdeval.run.executor import ask
from kdeval.store.json_schemas import as_schema
from kdeval.store.tool_definitions import as_tools
from tests.api_server import ApiServer, Body, Reply, asked_text

TOOLS = as_tools([{"name": "look", "parameters": {"type": "object"}}, {"name": "wait"}])
SCHEMA = {
    "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"],
    "additionalProperties": False,
}  # fmt: skip


def _called(index: int, name: str | None, arguments: str, identifier: str | None) -> dict[str, Any]:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    more = {} if identifier is None else {"id": identifier, "type": "function"}
    return {"index": index, "function": function, **more}


def answer(body: Body) -> Reply:
    """Two calls to "both", in pieces where it streams; to "cut" one that is cut off; else words."""
    text = asked_text(body)
    whole = [_called(0, "look", '{"at": "nörth"}', "c0"), _called(1, "wait", "", "c1")]
    pieces = [
        _called(0, "look", "", "c0"), _called(0, None, '{"at":', None),
        _called(1, "wait", "", "c1"), _called(0, None, ' "nörth"}', None),
    ]  # fmt: skip
    if "both" in text:
        calls = pieces if body.get("stream") else whole
        return Reply(content=None, message={"tool_calls": calls}, finish_reason="tool_calls")
    if "cut" in text:
        calls = [_called(0, "look", '{"at": "no', "c0")]
        return Reply(content="Let me see.", message={"tool_calls": calls}, finish_reason="length")
    return Reply(content='{"at": "north"}')


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    """The server that calls."""
    with ApiServer(answer) as running:
        yield running


def asked(api: ApiServer, request: Request, **more: Any) -> Response:
    config = ApiModelConfig(
        name="gpt", type="api", model="openai/gpt-4.1-2025-04-14", api_base=api.url,
        retries={"attempts": 1, "total_s": 20}, **more,
    )  # fmt: skip
    return ask(ApiModel(config), [request])[0]


def request(text: Any, **more: Any) -> Request:
    return Request(sample_id="s", suite="s", kind="generation", input=text, **more)


@pytest.mark.parametrize("stream", [False, True])
def test_calls_are_an_answer(api: ApiServer, stream: bool) -> None:
    """Calls without words are no error; pieces of a stream are joined by their index."""
    found = asked(api, request(f"both {stream}", tools=TOOLS), stream=stream)
    assert found.error is None
    assert found.output == ""
    assert found.tool_calls == (
        ToolCall(name="look", arguments={"at": "nörth"}, id="c0"),
        ToolCall(name="wait", arguments={}, id="c1"),
    )
    sent = api.asked[-1].body
    assert sent["tools"] == [json.loads(tool) for tool in TOOLS]
    assert sent["tool_choice"] == "auto"


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_was_cut_off_is_kept_as_it_was_written(api: ApiServer, stream: bool) -> None:
    """Beside the words before it, and marked as not valid."""
    found = asked(api, request(f"cut {stream}", tools=TOOLS), stream=stream)
    (call,) = found.tool_calls or ()
    assert (call.name, call.arguments, call.valid) == ("look", '{"at": "no', False)
    assert found.output == "Let me see."
    assert found.truncated


def test_no_call_is_known_to_be_none(api: ApiServer) -> None:
    """() where tools were offered, absent where they were not; nothing of tools is sent then."""
    assert asked(api, request("words", tools=TOOLS)).tool_calls == ()
    assert asked(api, request("words")).tool_calls is None
    assert not {"tools", "tool_choice", "response_format"} & api.asked[-1].body.keys()


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "required": []}, None),
        ({**SCHEMA, "additionalProperties": True}, None),
        ({**SCHEMA, "properties": {"at": {"type": "string", "not": {}}}}, None),
    ],
)
def test_a_schema_is_told_the_api(api: ApiServer, schema: dict[str, Any], strict: bool) -> None:
    """Strictly only where strict decoding takes it: elsewhere the API would refuse."""
    found = asked(api, request("schema", response_schema=as_schema(schema)))
    assert found.output == '{"at": "north"}'
    told = api.asked[-1].body["response_format"]
    assert told["type"] == "json_schema"
    assert told["json_schema"]["schema"] == schema
    assert told["json_schema"].get("strict") is strict


def test_a_conversation_with_calls_is_sent_as_it_was(api: ApiServer) -> None:
    """Arguments as JSON text, the answer with the id of the call it belongs to."""
    call = ToolCall(name="look", arguments={"at": "é"}, id="c9")
    messages = (
        Message(role="user", content="go"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="snow", tool_call_id="c9"),
    )
    asked(api, request(messages, tools=TOOLS))
    sent = api.asked[-1].body["messages"]
    assert [{name: m[name] for name in m if m[name] is not None} for m in sent] == [
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [
            {"id": "c9", "type": "function",
             "function": {"name": "look", "arguments": '{"at": "é"}'}}]},
        {"role": "tool", "content": "snow", "tool_call_id": "c9"},
    ]  # fmt: skip
