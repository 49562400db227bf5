"""Tool calls in the text that a language model writes, in the forms that models are trained on.

hermes: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, as Hermes, Qwen and SmolLM
write. mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}}]` or
`[TOOL_CALLS]name[ARGS]{...}`. json: the text begins with JSON, an object or a list with `name` and
`arguments` (or `parameters`), as Llama, Phi and Granite write. What was begun as a call and cannot
be read is a call that is not valid, so that it never passes for a text without calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kdeval.config.transformers_models import ToolFormat
from kdeval.records import ToolCall
from kdeval.store.tool_calls import as_tool_calls, leading_json, tool_call

__all__ = ["CALL_MARKS", "read_calls"]

_OPEN, _CLOSE, _MISTRAL = "<tool_call>", "</tool_call>", "[TOOL_CALLS]"
CALL_MARKS = (_OPEN, _CLOSE, _MISTRAL, "[ARGS]", "[CALL_ID]")
"""Texts that a call is known by; some tokenizers have them as special tokens."""

_NAMED = re.compile(r"\s*([^\s\[{]+)\s*(?:\[CALL_ID\]\s*([^\s\[]+)\s*)?(?:\[ARGS\])?\s*(?=\{)")
_NAME = re.compile(r'"(?:name|function)"\s*:\s*"([^"\\]+)"')
_BEGUN = re.compile(
    r'[\[{\s]*"(?:name|type|function)"\s*:.*"(?:arguments|parameters)"\s*:', re.DOTALL
)
_FENCED = re.compile(r"```[A-Za-z]*\s*\n(.*?)\n?```", re.DOTALL)
_BEFORE = re.compile(r"(?:<\|python_tag\|>|<\|tool_call\|>)\s*")
_BETWEEN = re.compile(r"[\s,;]*")

Read = tuple[str, tuple[ToolCall, ...]]


def read_calls(text: str, form: ToolFormat = "auto") -> Read:
    """(the text without its calls, the calls in their order).

    Args:
        text: what was written, without reasoning.
        form: how the model writes calls; auto: by the marks that the text has, json without any.
    """
    if form == "auto":
        form = "mistral" if _MISTRAL in text else "hermes" if _OPEN in text else "json"
    return _READERS[form](text)


def _hermes(text: str) -> Read:
    calls: list[ToolCall] = []
    kept: list[str] = []
    place = 0
    while (start := text.find(_OPEN, place)) >= 0:
        kept.append(text[place:start])
        found, place = _tagged(text, start + len(_OPEN))
        calls.extend(found)
    kept.append(text[place:])
    return _joined(kept), tuple(calls)


def _mistral(text: str) -> Read:
    calls: list[ToolCall] = []
    kept: list[str] = []
    place = 0
    while (start := text.find(_MISTRAL, place)) >= 0:
        kept.append(text[place:start])
        place = _past(_BETWEEN, text, start + len(_MISTRAL))
        if text[place : place + 1] in ("[", "{"):
            found, place = _listed(text, place)
        else:
            found, place = _named(text, place)
        calls.extend(found)
    kept.append(text[place:])
    return _joined(kept), tuple(calls)


def _json(text: str) -> Read:
    body = text.strip()
    fenced = _FENCED.fullmatch(body)
    body = fenced[1].strip() if fenced else body.removesuffix("<|/tool_call|>").rstrip()
    body = body[_past(_BEFORE, body, 0) :]
    found: list[Any] = []
    place = 0
    try:
        while place < len(body):
            value, place = leading_json(body, place)
            found.extend(value if isinstance(value, list) else [value])
            place = _past(_BETWEEN, body, place)
    except ValueError:
        pass
    if not all(_is_call(item) for item in found):
        return text, ()
    calls = as_tool_calls(found)
    if _BEGUN.match(body, place):
        return "", (*calls, _unreadable(body[place:]))
    return (body[place:], calls) if calls else (text, ())


_READERS: Mapping[str, Callable[[str], Read]] = {
    "hermes": _hermes,
    "mistral": _mistral,
    "json": _json,
}


def _tagged(text: str, start: int) -> tuple[list[ToolCall], int]:
    """The calls after an opening tag, and where they end; the closing tag may be missing."""
    calls: list[ToolCall] = []
    place = start
    while True:
        place = _past(_BETWEEN, text, place)
        if text.startswith(_CLOSE, place):
            return calls or [_unreadable("")], place + len(_CLOSE)
        if place >= len(text) or text.startswith(_OPEN, place):
            return calls or [_unreadable("")], place
        try:
            value, place = leading_json(text, place)
            calls.extend(as_tool_calls(value))
        except ValueError:
            closing = text.find(_CLOSE, place)
            if closing >= 0:
                return [_unreadable(text[start:closing])], closing + len(_CLOSE)
            return (calls, place) if calls else ([_unreadable(text[start:])], len(text))


def _listed(text: str, start: int) -> tuple[list[ToolCall], int]:
    try:
        value, place = leading_json(text, start)
        return list(as_tool_calls(value)), place
    except ValueError:
        return [_unreadable(text[start:])], len(text)


def _named(text: str, start: int) -> tuple[list[ToolCall], int]:
    """One or more names with their arguments, as newer Mistral models write them."""
    calls: list[ToolCall] = []
    place = start
    while (head := _NAMED.match(text, place)) is not None:
        try:
            value, place = leading_json(text, head.end())
        except ValueError:
            return [*calls, tool_call(head[1], text[head.end() :])], len(text)
        calls.append(tool_call(head[1], value, head[2]))
    return (calls, place) if calls else ([_unreadable(text[start:])], len(text))


def _past(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _unreadable(text: str) -> ToolCall:
    """A call that was begun: its name where that can be told."""
    name = _NAME.search(text)
    return ToolCall(name=name[1] if name else None, arguments=text.strip(), valid=False)


def _is_call(item: Any) -> bool:
    if not isinstance(item, Mapping):
        return False
    told = item.get("function")
    inner = told if isinstance(told, Mapping) else item
    named = isinstance(inner.get("name", told), str)
    return named and any(key in inner for key in ("arguments", "parameters"))


def _joined(texts: list[str]) -> str:
    return "\n".join(text.strip() for text in texts if text.strip())
