"""Conversations with tools as chat templates take them, and templates that take none."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.records import Message
from kdeval.store.tool_definitions import tool_name

__all__ = ["check_offered", "template_message", "template_tools", "tools_problem"]

_MENTIONED = re.compile(r"\btools\b")


def tools_problem(config: CausalLMConfig, tokenizer: Any) -> str | None:
    """Why the model cannot be offered tools; None when its chat template has a place for them."""
    if config.chat == "never":
        return "tools are told by the chat template; chat: never does without"
    template = tokenizer.chat_template
    if not template:
        return (
            "the tokenizer has no chat template, which would tell of tools: describe them in the "
            "suite's input instead, or give a tokenizer with a template"
        )
    texts = template.values() if isinstance(template, dict) else [template]
    if not any(_MENTIONED.search(text) for text in texts):
        return (
            "the tokenizer's chat template has no place for tools: describe them in the suite's "
            "input instead, or give a tokenizer whose template has one"
        )
    return None


def template_tools(tools: Sequence[str]) -> dict[str, Any]:
    """The variables of a template that offers them; none where there are none."""
    return {"tools": [json.loads(tool) for tool in tools]} if tools else {}


def check_offered(text: str, tools: Sequence[str]) -> None:
    """Nothing, or ValueError where the rendered prompt does not name every tool."""
    left_out = [name for name in map(tool_name, tools) if name not in text]
    if left_out:
        raise ValueError(f"the chat template leaves out the tools {', '.join(left_out)}")


def template_message(message: Message) -> dict[str, Any]:
    """The message as templates read it: arguments of calls are objects there, no JSON text."""
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "type": "function",
                **({} if call.id is None else {"id": call.id}),
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        told["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        told["name"] = message.name
    return told
