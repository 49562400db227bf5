"""Chat messages as logs have them, read into records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdeval.records import Message
from kdeval.store.tool_calls import as_tool_calls, json_value

__all__ = ["as_messages"]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TEXT_PARTS = ("text", "input_text", "output_text")


def as_messages(value: object) -> tuple[Message, ...]:
    """The messages of a list, or of the JSON text of one.

    A content may be a text, a list of text parts, or absent beside tool calls. OpenAI's older
    `function_call` and role "function" are read as one tool call and role "tool".

    Raises:
        ValueError: it is no list of messages, or a message has no known role, or no text.
    """
    if isinstance(value, str):
        try:
            value = json_value(value)
        except ValueError as error:
            raise ValueError(f"no JSON: {error}, in {str(value)[:60]!r}") from None
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"expected a list of chat messages, got {value!r:.60}")
    return tuple(_message(item, place) for place, item in enumerate(value))


def _message(item: Any, place: int) -> Message:
    role = item.get("role") if isinstance(item, Mapping) else None
    role = "tool" if role == "function" else role
    if role not in _ROLES:
        raise ValueError(
            f"message {place} has role {role!r}; give objects with role "
            f"({', '.join(_ROLES)}) and content, got {item!r:.60}"
        )
    called = item.get("tool_calls")
    if called is None:
        called = item.get("function_call") or ()
    try:
        calls, content = as_tool_calls(called), _content(item.get("content"))
    except ValueError as error:
        raise ValueError(f"message {place} ({role}): {error}") from None
    if calls and role != "assistant":
        raise ValueError(f"message {place} ({role}) has tool calls, which only an assistant makes")
    if content is None and not calls:
        raise ValueError(f"message {place} ({role}) has no content")
    return Message(
        role=role,
        content=content or "",
        tool_calls=calls,
        tool_call_id=item.get("tool_call_id") or None,
        name=item.get("name") or None,
    )


def _content(content: Any) -> str | None:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, (list, tuple)):
        raise ValueError(f"content must be a text or a list of parts, got {content!r:.60}")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part if isinstance(part, str) else part.get("text") if kind in _TEXT_PARTS else None
        if not isinstance(text, str):
            raise ValueError(f"a part of type {kind!r}: only text is read, got {part!r:.60}")
        texts.append(text)
    return "\n".join(texts)
