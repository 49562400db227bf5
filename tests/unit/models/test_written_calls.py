"""Tool calls that language models write as text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.models.written_calls import read_calls
from kdeval.records import ToolCall

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
CALLS = st.lists(
    st.tuples(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
        st.dictionaries(st.text() | st.just("</tool_call>[TOOL_CALLS]"), VALUES, max_size=3),
    ),
    min_size=1,
    max_size=3,
)


def _hermes(calls: list[dict[str, Any]]) -> str:
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


def _hermes_left_open(calls: list[dict[str, Any]]) -> str:
    return _hermes(calls).removesuffix("</tool_call>")


def _mistral(calls: list[dict[str, Any]]) -> str:
    return f"[TOOL_CALLS] {json.dumps(calls)}"


def _named(calls: list[dict[str, Any]]) -> str:
    return "".join(f"[TOOL_CALLS]{c['name']}[ARGS]{json.dumps(c['arguments'])}" for c in calls)


def _listed(calls: list[dict[str, Any]]) -> str:
    return json.dumps(calls, indent=1)


def _llama(calls: list[dict[str, Any]]) -> str:
    said = [{"type": "function", "name": c["name"], "parameters": c["arguments"]} for c in calls]
    return "<|python_tag|>" + "; ".join(map(json.dumps, said))


def _fenced(calls: list[dict[str, Any]]) -> str:
    return f"```json\n{json.dumps(calls)}\n```"


FORMS = {
    "hermes": (_hermes, "hermes"),
    "hermes_left_open": (_hermes_left_open, "hermes"),
    "mistral": (_mistral, "mistral"),
    "mistral_named": (_named, "mistral"),
    "json_list": (_listed, "json"),
    "json_llama": (_llama, "json"),
    "json_fenced": (_fenced, "json"),
}


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=25)
@given(calls=CALLS)
def test_what_is_written_in_a_form_is_read(name: str, calls: list[tuple[str, Any]]) -> None:
    """Whatever the arguments hold, marks of calls included: nothing is lost, nothing left over.

    `auto` finds the form where the arguments do not hold the marks of another.
    """
    write, form = FORMS[name]
    text = write([{"name": function, "arguments": arguments} for function, arguments in calls])
    expected = ("", tuple(ToolCall(name=f, arguments=arguments) for f, arguments in calls))
    assert read_calls(text, form) == expected
    if "[TOOL_CALLS]" not in str(calls) and "<tool_call>" not in str(calls):
        assert read_calls(text) == expected


@pytest.mark.parametrize("form", ["auto", "hermes", "json", "mistral"])
@settings(deadline=None, max_examples=40)
@given(text=st.text() | st.text(alphabet='{}[]":,<>tool_callnamergs/ TOL_AR\n', max_size=80))
def test_no_text_is_too_odd(form: Any, text: str) -> None:
    """Every text is read, and one without calls comes back as it is, but for space around it."""
    rest, calls = read_calls(text, form)
    if not calls:
        assert rest.strip() == text.strip()


@pytest.mark.parametrize(
    ("text", "rest", "names"),
    [
        ("I look.\n<tool_call>{\"name\": \"f\"}</tool_call>\nDone.", "I look.\nDone.", ["f"]),
        ("<tool_call>{\"name\": \"f\"} and so on", "and so on", ["f"]),
        ("Sure. [TOOL_CALLS]f{\"a\": 1}", "Sure.", ["f"]),
        ("{\"name\": \"Bob\", \"age\": 3}", "{\"name\": \"Bob\", \"age\": 3}", []),
        ("{\"name\": \"f\", \"parameters\": {}} is what I call", "is what I call", ["f"]),
        ("There is no tool for that.", "There is no tool for that.", []),
        ("[]", "[]", []),
    ],
)  # fmt: skip
def test_words_beside_calls_stay_words(text: str, rest: str, names: list[str]) -> None:
    """And a JSON object that is no call is an answer."""
    found, calls = read_calls(text)
    assert (found, [call.name for call in calls]) == (rest, names)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('<tool_call>{"name": "f", "arguments": {"a": ', "f"),
        ('<tool_call>{"name": "f", "arguments": {"a": }}</tool_call>', "f"),
        ("<tool_call>", None),
        ("<tool_call></tool_call>", None),
        ('<tool_call>{"arguments": {}}</tool_call>', None),
        ('[TOOL_CALLS] [{"name": "f", "arguments": {', "f"),
        ('[TOOL_CALLS]f[ARGS]{"a": ', "f"),
        ("[TOOL_CALLS]f", None),
        ('{"name": "f", "parameters": {"a": "x', "f"),
    ],
)
def test_a_call_that_was_begun_never_passes_for_none(text: str, name: str | None) -> None:
    """It is a call that is not valid, with its name where that can be told."""
    rest, calls = read_calls(text)
    assert rest == ""
    assert [(call.name, call.valid) for call in calls] == [(name, False)]


def test_a_named_form_reads_nothing_else() -> None:
    """A model that is known to write one form may quote another."""
    text = 'Write <tool_call>{"name": "f"}</tool_call> for that.'
    assert read_calls(text, "json") == (text, ())
    assert read_calls(text, "mistral") == (text, ())


@pytest.mark.parametrize(
    ("text", "calls"),
    [(" " * 200_000, 0), ("<tool_call>" * 20_000, 20_000), ("[" * 100_000, 0)],
)
def test_long_nonsense_is_read_to_its_end(text: str, calls: int) -> None:
    """In one pass: reading it again from each mark would take minutes."""
    assert len(read_calls(text)[1]) == calls
