"""The whole distribution before every token of a given text, a piece of the text at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch

from kdeval.models.causal.fitting import TooLong, fit_splits
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.prompts import Split
from kdeval.models.protocols import Request
from kdeval.models.rotary_positions import rotary_switch

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
    split = Split(context=context, continuation=tokens)
    return fit_splits([split], loaded.longest, too_long)[0]


def forced_logits(model: Any, split: Split, *, tokens: int, device: str) -> Iterator[torch.Tensor]:
    """Logits before each token of the continuation, at most `tokens` places a piece.

    A model that keeps its past reads the text piece by piece, and no more logits are ever held;
    one that does not, or that reads pieces otherwise than the whole, reads it in one go.
    """
    accepted = set(inspect.signature(model.forward).parameters)
    count = len(split.continuation)
    read = [*split.context, *split.continuation[:-1]]
    caching = {"past_key_values", "use_cache"} <= accepted and not (
        getattr(model, "_is_stateful", False) or len(read) > (rotary_switch(model) or len(read))
    )
    size = tokens if caching else count
    start, cache = 0, None
    for first in range(0, count, size):
        kept = min(size, count - first)
        end = len(split.context) + first + kept - 1
        options: dict[str, Any] = {"logits_to_keep": kept} if "logits_to_keep" in accepted else {}
        if caching:
            options |= {"past_key_values": cache, "use_cache": True}
        with torch.inference_mode():  # not around the yield: it would stay on between two pieces
            out = model(input_ids=torch.tensor([read[start:end]], device=device), **options)
        logits, cache = out.logits[0, -kept:], out.past_key_values if caching else None
        start = end
        for place in range(0, kept, tokens):
            yield logits[place : place + tokens]
