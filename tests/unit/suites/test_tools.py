"""Suites that offer tools, ask for schemas, or hold whole conversations."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from kdeval.errors import ConfigError, DataError
from kdeval.records import Message, ToolCall

TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
WRAPPED = (
    '{"type":"function","function":{"name":"look","description":"Looks.",'
    '"parameters":{"type":"object"}}}'
)
SCHEMA = {"type": "object", "required": ["at"]}
CALL = {"name": "look", "arguments": {"at": "north"}}
PLAIN = {"kind": "generation", "labels": None, "reference": {"column": "calls"}}


def rows(**more: Any) -> list[dict[str, Any]]:
    return [{"id": "a", "text": "north?", "calls": [CALL], **more},
            {"id": "b", "text": "hello", "calls": [], **more}]  # fmt: skip


def test_tools_for_all_rows_in_the_yaml(files) -> None:
    """Each sample offers them; the default scorer marks calls, and [] is a reference."""
    suite = files.load(rows(), **PLAIN, tools=[TOOL])
    assert [sample.tools for sample in suite.samples] == [(WRAPPED,), (WRAPPED,)]
    assert [sample.reference for sample in suite.samples] == [[CALL], []]
    assert [scorer.metric.name for scorer in suite.scorers] == ["tool_call"]


def test_tools_and_schema_in_files(files) -> None:
    """Paths are relative to the suite."""
    (files.path.parent / "tools.json").write_text(json.dumps([TOOL]))
    (files.path.parent / "answer.json").write_text(json.dumps(SCHEMA))
    suite = files.load(rows(), **PLAIN, tools="tools.json", response_schema="answer.json")
    assert {sample.tools for sample in suite.samples} == {(WRAPPED,)}
    assert {sample.response_schema for sample in suite.samples} == {
        '{"type":"object","required":["at"]}'
    }
    assert [scorer.metric.name for scorer in suite.scorers] == ["tool_call", "json_schema"]


def test_tools_and_schema_in_columns(files) -> None:
    """As values or JSON text; a row without tools offers none."""
    data = rows(tools=[TOOL], schema=SCHEMA)
    data[1] |= {"tools": None, "calls": [], "schema": json.dumps(SCHEMA)}
    suite = files.load(data, **PLAIN, tools="tools", response_schema="schema")
    assert [sample.tools for sample in suite.samples] == [(WRAPPED,), ()]
    assert len({sample.response_schema for sample in suite.samples}) == 1


def test_parquet_and_json_texts(files) -> None:
    """Columns of JSON text, as data sets keep lists of different shapes."""
    frame = pd.DataFrame(
        {"id": ["a"], "calls": [json.dumps([CALL])], "tools": [json.dumps([TOOL])],
         "messages": [json.dumps([{"role": "user", "content": "x"}])]}
    )  # fmt: skip
    files.write([], **PLAIN, tools="tools", input={"messages": "messages"}, data="d.parquet")
    frame.to_parquet(files.path.parent / "d.parquet")
    from kdeval.suites import load_suite

    (sample,) = load_suite(files.path).samples
    assert sample.tools == (WRAPPED,)
    assert sample.input == (Message(role="user", content="x"),)


def test_a_schema_alone_is_marked_without_a_reference(files) -> None:
    suite = files.load(rows(), kind="extraction", labels=None, reference=None,
                       response_schema=SCHEMA)  # fmt: skip
    assert [scorer.metric.name for scorer in suite.scorers] == ["json_schema"]


def test_hashes_cover_tools_and_schema_only_where_there_are_some(files) -> None:
    """A suite without them keeps the fingerprint that it had before there were tools."""
    plain = files.load(rows(), **PLAIN, scorers=["exact"])
    assert plain.samples[0].content_hash == "d90c28640c47d4cc"
    more = ({"tools": [TOOL]}, {"response_schema": SCHEMA}, {"tools": [{"name": "look"}]})
    hashes = {files.load(rows(), **PLAIN, scorers=["exact"], **one).samples[0].content_hash
              for one in more}  # fmt: skip
    assert len(hashes | {plain.samples[0].content_hash}) == 4


CHAT = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "snow"},
]  # fmt: skip


def test_a_column_with_the_whole_conversation(files) -> None:
    """Messages as chat logs have them, calls and answers of tools included."""
    suite = files.load(rows(chat=CHAT), **PLAIN, tools=[TOOL], input={"messages": "chat"})
    assert suite.samples[0].input == (
        Message(role="user", content="go"),
        Message(role="assistant", content="",
                tool_calls=(ToolCall(name="look", arguments={}, id="c"),)),
        Message(role="tool", content="snow", tool_call_id="c"),
    )  # fmt: skip
    assert suite.samples[0].text == "user: go\nassistant: call look({})\ntool: snow"


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"calls": [{"name": "jump"}]}, {"tools": [TOOL]},
         r"eval.jsonl:1: reference calls 'jump', which is not offered; valid: look"),
        ({}, {"scorers": ["tool_call"]},
         r"eval.jsonl:1: the reference has a call, but no tools are offered"),
        ({"calls": "north"}, {"tools": [TOOL]}, r"eval.jsonl:1: reference 'north' is no list"),
        ({"tools": [{"description": "x"}]}, {"tools": "tools"},
         r"eval.jsonl:1: .*tools: column 'tools': tool 0 has no name"),
        ({"tools": [{"name": "look", "parameters": {"type": "objct"}}]}, {"tools": "tools"},
         r"eval.jsonl:1: .*'look': parameters: no valid JSON Schema: 'objct'"),
        ({}, {"tools": "tool"}, r"there is no column 'tool'"),
        ({"schema": {"type": 3}}, {"response_schema": "schema", "scorers": ["json_schema"]},
         r"eval.jsonl:1: .*response_schema: column 'schema': no valid JSON Schema: 3"),
        ({"schema": None}, {"response_schema": "schema", "scorers": ["json_schema"]},
         r"eval.jsonl:1: the row has no response_schema .scorer 'json_schema'"),
        ({"chat": [*CHAT, {"role": "assistant", "content": "Snow."}]},
         {"input": {"messages": "chat"}, "scorers": ["exact"]},
         r"eval.jsonl:1: .*the last message is the assistant's, so it is an answer"),
        ({"chat": [{"role": "user"}]}, {"input": {"messages": "chat"}, "scorers": ["exact"]},
         r"eval.jsonl:1: .*input.messages: column 'chat': message 0 .user. has no content"),
        ({"chat": None}, {"input": {"messages": "chat"}, "scorers": ["exact"]},
         r"eval.jsonl:1: .*the value is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_told_before_a_run(files, change, settings, message) -> None:
    """With the file and line."""
    data = rows(chat=CHAT, schema=SCHEMA, tools=[TOOL])
    data[0] |= change
    with pytest.raises(DataError, match=message):
        files.load(data, **{**PLAIN, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tools": [{"description": "x"}]}, "suite.yaml: tools: tool 0 has no name"),
        ({"tools": "none.json"}, "suite.yaml: tools: none.json: No such file.*looked for"),
        ({"tools": TOOL}, "tools: give a list of functions, a .json file, or a column"),
        ({"input": {"message": "text"}}, "input: give a column or template, a list of messages"),
        ({"response_schema": {"type": "objct"}}, "response_schema: no valid JSON Schema: 'objct'"),
        ({"response_schema": {"$ref": "https://example.com/x"}}, "schemas elsewhere are not fetch"),
        ({"tools": [TOOL], "kind": "classification", "labels": ["a", "b"]},
         "tools belongs to kind: extraction or generation"),
        ({"response_schema": SCHEMA, "kind": "classification", "labels": ["a", "b"]},
         "response_schema belongs to kind: extraction or generation"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_setting_is_told(files, settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        files.load(rows(), **{**PLAIN, "scorers": ["exact"], **settings})
