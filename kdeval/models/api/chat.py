"""From a request to what a chat API is asked: the one place where that is decided."""

from __future__ import annotations

import json
from typing import Any

from kdeval.config.api_models import ApiModelConfig
from kdeval.errors import ModelError
from kdeval.models.api.deciding import decision_prompt
from kdeval.models.api.offers import api_message, schema_format
from kdeval.models.protocols import Request

__all__ = ["chat_parameters", "stop_texts"]

_MOST_STOPS = 4
"""As many as OpenAI takes; at the others a text is cut once it is here."""


def stop_texts(request: Request, config: ApiModelConfig) -> tuple[str, ...]:
    """The texts that an answer ends before: the request's, then the configuration's."""
    return tuple(dict.fromkeys([*request.stop, *config.generation.stop]))


def chat_parameters(request: Request, config: ApiModelConfig) -> dict[str, Any]:
    """Keyword arguments of litellm's `acompletion` that say what is asked, and how.

    Where it is asked (address, key, timeouts) is not among them.

    Raises:
        ValueError: the request cannot be put to a chat API.
        ModelError: its suite cannot.
    """
    if request.image is not None:
        raise ModelError(f"{config.name}: type: api reads text, no images")
    settings = config.generation
    found: dict[str, Any] = {
        "model": config.model,
        "messages": _messages(request, config),
        "max_tokens": request.max_new_tokens or settings.max_new_tokens,
    }
    for name in ("temperature", "top_p", "seed", "reasoning_effort"):
        value = getattr(settings, name)
        if value is not None:
            found[name] = value
    drawn = request.decoding
    if drawn is not None and drawn.temperature > 0 and settings.temperature is not None:
        found |= {"temperature": drawn.temperature, "top_p": drawn.top_p}
    if stop := stop_texts(request, config):
        found["stop"] = list(stop[:_MOST_STOPS])
    if config.log_probs or config.top_log_probs:
        found["logprobs"] = True
    if config.top_log_probs:
        found["top_logprobs"] = config.top_log_probs
    if request.tools:
        found |= {"tools": [json.loads(tool) for tool in request.tools], "tool_choice": "auto"}
    if request.response_schema is not None:
        found["response_format"] = schema_format(request.response_schema)
    if config.stream:
        found |= {"stream": True, "stream_options": {"include_usage": True}}
    return found


def _messages(request: Request, config: ApiModelConfig) -> list[dict[str, Any]]:
    """The request's own messages; what is to be chosen from goes to the end of the last one."""
    messages = (
        [{"role": "user", "content": request.input}]
        if isinstance(request.input, str)
        else [api_message(message) for message in request.input]
    )
    if config.system is not None and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": config.system})
    question = decision_prompt(request)
    if question is not None:
        if messages[-1]["role"] == "user":
            messages[-1]["content"] += f"\n\n{question}"
        else:
            messages.append({"role": "user", "content": question})
    return messages
