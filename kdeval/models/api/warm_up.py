"""Letting litellm load its parts before a request is timed: they take it seconds."""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["warm_up"]

_REPLY = {
    "id": "warm-up",
    "object": "chat.completion",
    "created": 0,
    "model": "warm-up",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ready"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


async def warm_up(litellm: Any) -> None:
    """Asks a reply of nobody: the client it is given answers by itself, without a network.

    What goes wrong here goes wrong with the first request too, and is told there.
    """
    with contextlib.suppress(Exception):
        import httpx
        import openai

        answering = httpx.MockTransport(lambda request: httpx.Response(200, json=_REPLY))
        async with httpx.AsyncClient(transport=answering) as http:
            await litellm.acompletion(
                model="openai/warm-up",
                messages=[{"role": "user", "content": "ready?"}],
                max_retries=0,
                client=openai.AsyncOpenAI(
                    api_key="none", base_url="http://warm-up.invalid/v1", http_client=http
                ),
            )
