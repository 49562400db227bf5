"""Conversations with tools are read at run time as they were when the router was fitted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kdeval_router.request import canonical_text, read_request

from kdeval.records import input_text
from kdeval.store.chat_messages import as_messages

ARGUMENTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.just(2.0) | st.text(),
    max_size=3,
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    said=st.none() | st.text(max_size=20), answer=st.text(max_size=20),
    calls=st.lists(st.tuples(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), ARGUMENTS),
                   min_size=1, max_size=3),
)  # fmt: skip
def test_the_text_is_the_one_that_the_router_was_fitted_on(
    said: str | None, answer: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    """Contents that are null, calls with arguments as JSON text, and answers of tools."""
    messages = [
        {"role": "user", "content": "sun"},
        {"role": "assistant", "content": said, "tool_calls": [
            {"id": "c", "type": "function",
             "function": {"name": name, "arguments": json.dumps(arguments)}}
            for name, arguments in calls]},
        {"role": "tool", "tool_call_id": "c", "content": answer},
    ]  # fmt: skip
    read = read_request({"messages": messages, "tools": [{"type": "function"}]})
    assert read.problem is None
    assert read.needs == {"tools"}
    assert read.text == canonical_text(input_text(as_messages(messages)))


@pytest.mark.parametrize(
    "arguments", ['{"a": ', "[1, 2.0]", "", " ", '"x"', "x\ny", "[]", "null", [1.0], 3, None]
)
def test_a_broken_call_reads_alike(arguments: Any) -> None:
    """As kdeval shows it, so that such conversations are as familiar as they were."""
    call = {"function": {"name": "f", "arguments": arguments}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    assert read_request(messages).text == canonical_text(input_text(as_messages(messages)))


@pytest.mark.parametrize("name", [" f ", "", None, 3])
def test_names_and_older_forms_read_alike(name: object) -> None:
    """OpenAI's `function_call` and role "function", and names that are none."""
    messages = [
        {"role": "assistant", "content": "Wait", "function_call": {"name": name, "arguments": {}}},
        {"role": "function", "name": "f", "content": "done"},
    ]
    read = read_request(messages)
    assert read.text == canonical_text(input_text(as_messages(messages)))
    assert read.needs == {"tools"}


@pytest.mark.parametrize(
    "calls",
    [
        [{}], ["x"], [None], "x", 3, {"name": "f"}, [{"function": {"name": 3, "arguments": "{"}}],
        [{"function": None}], [{"function": {"name": "f", "arguments": "[" * 5_000}}],
    ],
)  # fmt: skip
def test_no_call_is_too_odd(calls: Any) -> None:
    """Whatever a client sends is read; that it is about tools is known."""
    read = read_request([{"role": "assistant", "content": None, "tool_calls": calls}])
    assert read.problem is None
    assert read.needs == {"tools"}
