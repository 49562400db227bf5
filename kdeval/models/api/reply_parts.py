"""Reading litellm's objects: its completion, its usage, its log-probabilities."""

from __future__ import annotations

from typing import Any

from kdeval.models.api.failures import AttemptError
from kdeval.models.api.reply import ChatReply, TokenLogProb, Usage
from kdeval.models.recorded_values import MOST

__all__ = ["broken", "completion_reply", "token_log_probs", "usage_of"]


def completion_reply(completion: Any, *, total_s: float) -> ChatReply:
    """The reply of a call that was not streamed.

    Raises:
        AttemptError: it has no choice, or its choice no message.
    """
    usage = usage_of(getattr(completion, "usage", None))
    choices = getattr(completion, "choices", None)
    if not choices:
        raise broken("an answer without choices", usage)
    message = getattr(choices[0], "message", None)
    if message is None:
        raise broken("a choice without a message", usage)
    log_probs = getattr(choices[0], "logprobs", None)
    reply = ChatReply(
        text=message.content,
        refusal=refusal_of(message),
        finish_reason=choices[0].finish_reason,
        tool_calls=tuple(
            {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
            for call in getattr(message, "tool_calls", None) or ()
        ),
        tokens=token_log_probs(log_probs),
        usage=usage,
        model=getattr(completion, "model", None),
        total_s=total_s,
    )
    return checked_reply(reply)


def checked_reply(reply: ChatReply) -> ChatReply:
    """The reply itself.

    Raises:
        AttemptError: it says that it came to its end, and holds nothing at all.
    """
    silent = reply.text is None and not reply.refusal and not reply.tool_calls
    if silent and reply.finish_reason not in ("length", "content_filter"):
        raise broken("a message without content", reply.usage)
    return reply


def broken(what: str, usage: Usage | None = None) -> AttemptError:
    """The failure of an answer that came and cannot be used; what its tokens cost is due."""
    return AttemptError(f"the API sent {what}", billed=True, usage=usage)


def refusal_of(message: Any) -> str | None:
    """The model's words for not answering; litellm keeps them among the provider's own fields."""
    fields = getattr(message, "provider_specific_fields", None) or {}
    found = getattr(message, "refusal", None) or fields.get("refusal")
    return str(found) if found else None


def usage_of(usage: Any) -> Usage:
    """What the API counted; litellm's zeros for what it did not say are unknown."""
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if not read:
        return Usage()
    of_prompt = getattr(usage, "prompt_tokens_details", None)
    of_answer = getattr(usage, "completion_tokens_details", None)
    return Usage(
        read=read,
        read_cached=_count(of_prompt, "cached_tokens"),
        read_stored=_count(of_prompt, "cache_creation_tokens"),
        written=written,
        reasoning=_count(of_answer, "reasoning_tokens"),
    )


def token_log_probs(log_probs: Any) -> tuple[TokenLogProb, ...]:
    """Of each token that was written, as far as the API tells them."""
    content = _get(log_probs, "content") or ()
    return tuple(
        TokenLogProb(
            token=str(_get(item, "token")),
            log_prob=float(_get(item, "logprob")),
            top={
                str(_get(other, "token")): float(_get(other, "logprob"))
                for other in _get(item, "top_logprobs") or ()
            },
        )
        for item in content
    )


def _get(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _count(item: Any, name: str) -> int | None:
    value = _get(item, name)
    return int(value) if isinstance(value, (int, float)) and 0 <= value <= MOST else None
