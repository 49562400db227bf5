"""The whole distribution before every token of a given text, a piece of the text at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from kdeval.models.causal.fitting import TooLong, fit_split
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import Request

__all__ = ["answer_split", "forced_logits"]


def answer_split(request: Request, answer: str, loaded: LoadedModel, too_long: TooLong) -> Split:
    """The answer's tokens after those of the prompt, as when the model writes it.

    Prompt and answer are tokenized apart: written answers begin with a token of their own.

    Raises:
        ValueError: the answer has no token, a character that the tokenizer cannot write, or does
            not fit.
    """
    tokens = tuple(loaded.tokenizer(answer, add_special_tokens=False)["input_ids"])
    if not tokens:
        raise ValueError("the text is empty")
    if loaded.tokenizer.unk_token_id is not None and loaded.tokenizer.unk_token_id in tokens:
        raise ValueError("the text holds characters that the tokenizer does not know")
    context = tuple(loaded.prompts.tokens(loaded.prompts.for_writing(request)))
    return fit_split(Split(context=context, continuation=tokens), loaded.longest, too_long)


def forced_logits(model: Any, split: Split, *, tokens: int, device: str) -> Iterator[torch.Tensor]:
    """Logits before each token of the continuation, at most `tokens` places a piece.

    A model that keeps its past reads the text piece by piece, and no more logits are ever held;
    one that does not reads it in one go.
    """
    accepted = inspect.signature(model.forward).parameters
    caching = "past_key_values" in accepted and "use_cache" in accepted
    count = len(split.continuation)
    read = [*split.context, *split.continuation[:-1]]
    size = tokens if caching else count
    start, cache = 0, None
    for first in range(0, count, size):
        kept = min(size, count - first)
        end = len(split.context) + first + kept - 1
        logits, cache = _forward(model, read[start:end], cache, kept, accepted, device)
        start = end
        for place in range(0, kept, tokens):
            yield logits[place : place + tokens]


def _forward(
    model: Any, ids: Sequence[int], cache: Any, kept: int, accepted: Any, device: str
) -> tuple[torch.Tensor, Any]:
    """Logits after the last `kept` of the tokens, and the past where there is one."""
    options: dict[str, Any] = {}
    if "past_key_values" in accepted and "use_cache" in accepted:
        options |= {"past_key_values": cache, "use_cache": True}
    if "logits_to_keep" in accepted:
        options["logits_to_keep"] = kept
    with torch.inference_mode():  # not in the generator: it would stay on between two pieces
        out = model(input_ids=torch.tensor([list(ids)], device=device), **options)
    return out.logits[0, -kept:], out.past_key_values if "past_key_values" in options else None
