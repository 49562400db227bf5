"""Tool calls in the forms that logs, APIs and models have, read into one; messages as JSON.

A call is {"name", "arguments"}, also with `parameters` or `input` for `arguments`, or OpenAI's
{"id", "type": "function", "function": {"name", "arguments"}} whose arguments are JSON text.
Arguments that are no JSON object stay as the text they are, and the call is not valid: what a
model wrote badly is an answer too, and a wrong one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from kdeval.records import Message, ToolCall

__all__ = [
    "as_tool_calls",
    "call_content",
    "json_value",
    "leading_json",
    "message_content",
    "tool_call",
]

_DEEPEST = 100
_ARGUMENTS = ("arguments", "parameters", "input")


def json_value(text: str) -> Any:
    """The JSON value that the whole of `text` is.

    Raises:
        ValueError: it is none; NaN, numbers beyond a double and nesting beyond 100 levels included.
    """
    text = text.strip()
    value, end = leading_json(text, 0)
    if end < len(text):
        raise ValueError(f"more after the value: {text[end : end + 20]!r}")
    return value


def leading_json(text: str, start: int) -> tuple[Any, int]:
    """(the JSON value that begins at `start`, where it ends).

    Raises:
        ValueError: none begins there; as `json_value`.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError(f"nested deeper than {_DEEPEST} levels") from None
    if _deeper(value, _DEEPEST):
        raise ValueError(f"nested deeper than {_DEEPEST} levels")
    return value, end


def tool_call(name: object, arguments: object, identifier: object = None) -> ToolCall:
    """The call of that name.

    Args:
        name: of the function; anything but a text that says something is no name.
        arguments: an object, or the JSON text of one; nothing at all stands for {}.
        identifier: of the call; kept where it is a text.
    """
    given = arguments if isinstance(arguments, str) else _as_text(arguments)
    try:
        value = json_value(given) if given.strip() else {}
    except ValueError:
        value = None
    told = name.strip() if isinstance(name, str) else ""
    readable = isinstance(value, dict)
    return ToolCall(
        name=told or None,
        arguments=value if readable else given,
        valid=readable and bool(told),
        id=identifier if isinstance(identifier, str) and identifier else None,
    )


def as_tool_calls(value: object) -> tuple[ToolCall, ...]:
    """The calls that a value lists: a list, a single call, or either of them as JSON text.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, str):
        try:
            value = json_value(value)
        except ValueError as error:
            raise ValueError(f"no JSON: {error}, in {str(value)[:60]!r}") from None
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"no list of calls: {value!r:.60}")
    return tuple(_as_call(item) for item in value)


def call_content(call: ToolCall) -> dict[str, Any]:
    """The call as JSON has it, without what is absent; `ToolCall(**call_content(call))` is it."""
    told: dict[str, Any] = {"name": call.name, "arguments": call.arguments}
    if not call.valid:
        told["valid"] = False
    if call.id is not None:
        told["id"] = call.id
    return told


def message_content(message: Message) -> list[Any]:
    """[role, content], and what a message of a conversation with tools has besides."""
    more: dict[str, Any] = {}
    if message.tool_calls:
        more["tool_calls"] = [call_content(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        more["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        more["name"] = message.name
    return [message.role, message.content, *([more] if more else [])]


def _as_call(item: object) -> ToolCall:
    if not isinstance(item, Mapping):
        raise ValueError(f"a call must be an object with name and arguments, got {item!r:.60}")
    told = item.get("function")
    inner = told if isinstance(told, Mapping) else item
    name = inner.get("name", told if isinstance(told, str) else None)
    if name is None and "name" not in inner:
        raise ValueError(f"a call has no name: {dict(item)!r:.60}")
    arguments = next((inner[key] for key in _ARGUMENTS if inner.get(key) is not None), None)
    return tool_call(name, arguments, item.get("id"))


def _as_text(arguments: object) -> str:
    if arguments is None:
        return ""
    try:
        return json.dumps(arguments, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(arguments)


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(item, levels - 1) for item in items)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text[:20])


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
