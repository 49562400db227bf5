"""From what a chat API replied to a Response: the one place where that is decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kdeval.models.api.deciding import decided_output, option_log_probs
from kdeval.models.protocols import Request
from kdeval.records import Response, ToolCall
from kdeval.store.tool_calls import tool_call

__all__ = ["ChatReply", "TokenLogProb", "Usage", "as_response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogProb:
    """A token as it was written, its natural-log probability, and its likeliest alternatives."""

    token: str
    log_prob: float
    top: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API counted them; None where it does not say.

    Attributes:
        read: tokens of the prompt, those from a cache included.
        read_cached: those of them that came from the provider's cache.
        read_stored: those of them that were written to it.
        written: tokens written, reasoning included.
        reasoning: those of them that are reasoning.
    """

    read: int | None = None
    read_cached: int | None = None
    read_stored: int | None = None
    written: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """One whole reply, streamed or not.

    Attributes:
        text: the message's content; None where there is none.
        refusal: the model's words for not answering.
        finish_reason: as the API says it: stop, length, content_filter, tool_calls.
        tool_calls: {"id", "name", "arguments"} each, the arguments as the JSON text that was
            written.
        tokens: of `text`, where log-probabilities were asked for and given.
        model: what the API says has answered, such as the snapshot behind an alias.
        first_token_s: seconds from sending to the first piece of content of a stream.
        between_tokens_s: mean seconds from a token to the next, after the first.
        total_s: seconds from sending to the last byte.
        wait_s: how long the server asks to wait before the next request, where it does.
    """

    text: str | None
    refusal: str | None = None
    finish_reason: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tokens: tuple[TokenLogProb, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    first_token_s: float | None = None
    between_tokens_s: float | None = None
    total_s: float | None = None
    wait_s: float | None = None

    def untimed(self) -> ChatReply:
        """The same without its times."""
        return replace(self, total_s=None, first_token_s=None, between_tokens_s=None)

    def until(self, stops: Sequence[str]) -> ChatReply:
        """The same with its text cut before the first of `stops`."""
        text = self.text or ""
        end = min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)
        return self if end is None else replace(self, text=text[:end], finish_reason="stop")

    def without(self, removed: Callable[[str], str]) -> ChatReply:
        """The same with `removed` applied to every text of it; it returns what it leaves alone."""
        texts = (self.text, self.refusal, *(str(call) for call in self.tool_calls))
        if all(text is None or removed(text) == text for text in texts):
            return self
        return replace(
            self,
            text=None if self.text is None else removed(self.text),
            refusal=None if self.refusal is None else removed(self.refusal),
            tool_calls=tuple(
                {name: removed(value) if isinstance(value, str) else value
                 for name, value in call.items()}
                for call in self.tool_calls
            ),
            tokens=(),
        )  # fmt: skip

    @property
    def withheld(self) -> bool:
        """The provider's filter let nothing through."""
        return self.finish_reason == "content_filter" and not self.text

    @property
    def log_prob_tokens(self) -> tuple[TokenLogProb, ...]:
        """`tokens` where they are just those of the text, from its first to its last."""
        written = "".join(item.token for item in self.tokens)
        return self.tokens if written.strip() == (self.text or "").strip() else ()


def as_response(request: Request, reply: ChatReply) -> Response:
    """What the reply answers, without its timing and cost.

    A refusal is an answer, and marked as one; an answer that the provider's filter withheld is
    none.
    """
    counted = Response(
        input_tokens=reply.usage.read,
        output_tokens=reply.usage.written,
        reasoning_tokens=reply.usage.reasoning,
    )
    if reply.withheld:
        return replace(counted, error="the provider's content filter withheld the answer")
    text = reply.text or reply.refusal or ""
    written = replace(
        counted,
        output=text,
        tool_calls=_tool_calls(request, reply),
        truncated=reply.finish_reason in ("length", "content_filter"),
        mean_log_prob=_mean_log_prob(reply),
    )
    if request.kind not in ("classification", "multiple_choice"):
        return written
    output = decided_output(request, text.strip())
    top = _deciding(reply)
    log_probs = None if top is None else option_log_probs(request, top)
    return replace(
        written,
        output=output,
        log_probs=log_probs,
        top_log_probs=top,
        confidence=_confidence(output, log_probs),
    )


def _tool_calls(request: Request, reply: ChatReply) -> tuple[ToolCall, ...] | None:
    """None where no tools were offered and none is called."""
    calls = tuple(
        tool_call(call["name"], call["arguments"], call["id"]) for call in reply.tool_calls
    )
    return calls or (() if request.tools else None)


def _deciding(reply: ChatReply) -> Mapping[str, float] | None:
    """The likeliest tokens at the first place that is not white space."""
    first = next((item for item in reply.log_prob_tokens if item.token.strip()), None)
    if first is None or not first.top:
        return None
    return {token: min(value, 0.0) for token, value in first.top.items() if math.isfinite(value)}


def _confidence(output: str, log_probs: Mapping[str, float] | None) -> float | None:
    """The probability of the output among the options."""
    if log_probs is None or output not in log_probs:
        return None
    return min(1.0, math.exp(log_probs[output]))


def _mean_log_prob(reply: ChatReply) -> float | None:
    """Only where each of the tokens that the API counted has a log-probability."""
    tokens = reply.log_prob_tokens
    if not tokens or len(tokens) != reply.usage.written:
        return None
    return math.fsum(item.log_prob for item in tokens) / len(tokens)
