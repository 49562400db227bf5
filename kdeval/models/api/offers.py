"""Conversations with tools, and schemas of answers, as chat APIs take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdeval.records import Message, ToolCall

__all__ = ["api_message", "past_the_gateway", "schema_format"]

_STRICT_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const",
        "anyOf", "$ref", "$defs", "description", "title",
    }
)  # fmt: skip


def api_message(message: Message) -> dict[str, Any]:
    """The message as OpenAI has it: arguments of calls are JSON text."""
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        told["content"] = message.content or None
        told["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        told["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        told["name"] = message.name
    return told


def schema_format(schema: str) -> dict[str, Any]:
    """The `response_format` for that JSON Schema.

    It is strict where the schema is one that strict decoding is known to take: every object
    forbids further keys and requires all that it names, and no rarer keyword is used. Elsewhere
    the API itself decides how far it holds to it.
    """
    read = json.loads(schema)
    told: dict[str, Any] = {"name": "answer", "schema": read}
    if read.get("type") == "object" and _strict(read):
        told["strict"] = True
    return {"type": "json_schema", "json_schema": told}


def past_the_gateway(litellm: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What keeps litellm from looking for MCP servers among the tools of a request.

    Versions that have such a gateway load it for any tools at all, and fail where the package
    `mcp` is not installed; others know nothing of the argument.
    """
    gateway = Path(litellm.__file__).parent / "responses" / "mcp" / "chat_completions_handler.py"
    return {"_skip_mcp_handler": True} if parameters.get("tools") and gateway.exists() else {}


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    function = {"name": call.name or "", "arguments": text}
    return {
        "type": "function",
        "function": function,
        **({} if call.id is None else {"id": call.id}),
    }


def _strict(schema: Any) -> bool:
    if not (isinstance(schema, dict) and schema.keys() <= _STRICT_KEYWORDS):
        return False
    named = schema.get("properties", {})
    if schema.get("type") == "object" or "properties" in schema:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(named):
            return False
    below = [*named.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    if "items" in schema:
        below.append(schema["items"])
    return all(map(_strict, below))
