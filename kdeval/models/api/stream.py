"""Putting a stream's pieces together, with the times at which they came."""

from __future__ import annotations

import time
from typing import Any

from kdeval.models.api.reply import ChatReply, TokenLogProb, Usage
from kdeval.models.api.reply_parts import (
    broken,
    checked_reply,
    refusal_of,
    token_log_probs,
    usage_of,
)

__all__ = ["StreamedReply"]


class StreamedReply:
    """Collects the pieces of one stream.

    Args:
        start: clock (`time.perf_counter`) when the request was sent.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._tokens: list[TokenLogProb] = []
        self._finish: str | None = None
        self._model: str | None = None
        self._first: float | None = None
        self._last: float | None = None

    def add(self, chunk: Any) -> None:
        """Takes the next piece."""
        self._model = getattr(chunk, "model", None) or self._model
        choices = getattr(chunk, "choices", None)
        if not choices:
            return
        choice = choices[0]
        delta = choice.delta
        text = getattr(delta, "content", None)
        refusal = refusal_of(delta)
        calls = getattr(delta, "tool_calls", None) or ()
        if text or refusal or calls or getattr(delta, "reasoning_content", None):
            self._last = time.perf_counter()
            self._first = self._last if self._first is None else self._first
        if text is not None:
            self._text.append(text)
        if refusal:
            self._refusal.append(refusal)
        for call in calls:
            self._add_call(call)
        self._tokens += token_log_probs(getattr(choice, "logprobs", None))
        self._finish = choice.finish_reason or self._finish

    def whole(self, stream: Any) -> ChatReply:
        """The reply.

        Args:
            stream: litellm's wrapper, which knows what really came.

        Raises:
            AttemptError: the stream broke off before the API gave a reason to finish.
        """
        end = time.perf_counter()
        usage = _usage(stream)
        if not _finished(stream):
            raise broken("a stream that broke off before its end", usage)
        return checked_reply(
            ChatReply(
                text="".join(self._text) if self._text else None,
                refusal="".join(self._refusal) or None,
                finish_reason=self._finish,
                tool_calls=tuple(call for _, call in sorted(self._calls.items())),
                tokens=tuple(self._tokens),
                usage=usage,
                model=self._model,
                first_token_s=None if self._first is None else self._first - self._start,
                between_tokens_s=self._between(usage),
                total_s=end - self._start,
            )
        )

    def _add_call(self, call: Any) -> None:
        found = self._calls.setdefault(call.index or 0, {"id": None, "name": None, "arguments": ""})
        found["id"] = call.id or found["id"]
        found["name"] = call.function.name or found["name"]
        found["arguments"] += call.function.arguments or ""

    def _between(self, usage: Usage) -> float | None:
        """A piece may hold several tokens, so their count is the API's."""
        written = usage.written
        if self._first is None or self._last is None or written is None or written < 2:
            return None
        return (self._last - self._first) / (written - 1)


def _finished(stream: Any) -> bool:
    """Whether the API said why it ended; litellm says "stop" where it did not."""
    names = ("received_finish_reason", "intermittent_finish_reason")
    known = [name for name in names if hasattr(stream, name)]
    return not known or any(getattr(stream, name) is not None for name in known)


def _usage(stream: Any) -> Usage:
    """What the API counted, and not what litellm counts in its place."""
    for chunk in reversed(getattr(stream, "chunks", ())):
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            return usage_of(usage)
    return Usage()
