"""The tool calls of a message as lines of text, as kdeval writes them when it fits a router."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["call_lines"]


def call_lines(message: Mapping[Any, Any]) -> list[str]:
    """A line a call, such as `call get_weather({"city": "Oslo"})`; whatever is odd is shown as is.

    Args:
        message: of a chat; its `tool_calls` are OpenAI's, or its `function_call` is.
    """
    calls = message.get("tool_calls") or message.get("function_call") or ()
    if isinstance(calls, Mapping):
        calls = [calls]
    if not isinstance(calls, Sequence) or isinstance(calls, (str, bytes, bytearray)):
        return []
    return [_line(call) for call in calls if isinstance(call, Mapping)]


def _line(call: Mapping[Any, Any]) -> str:
    told = call.get("function")
    inner = told if isinstance(told, Mapping) else call
    name = inner.get("name")
    name = name.strip() if isinstance(name, str) else ""
    given = inner.get("arguments")
    given = "" if given is None else given
    try:
        given = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        value = json.loads(given) if given.strip() else {}
        text = json.dumps(_whole(value), ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        value, text = None, str(given)
    if isinstance(value, Mapping) and name:
        return f"call {name}({text})"
    shown = text if isinstance(value, Mapping) else str(given)
    return f"call {name or '?'}, not valid: {' '.join(shown.split())}"


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, (list, tuple)) else value
