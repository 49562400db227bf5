"""Log-likelihoods of continuations: the plain computation, which faster ones must equal."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kdeval.models.causal.prompts import Split
from kdeval.models.rotary_positions import rotary_switch
from kdeval.models.torch_hardware import HalvingBatches

__all__ = ["ContinuationScore", "score_continuations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationScore:
    """How likely a continuation is.

    Attributes:
        log_prob: summed natural-log probability of its tokens.
        tokens: how many they are.
        greedy: each of them is the likeliest token at its place.
    """

    log_prob: float
    tokens: int
    greedy: bool


def score_continuations(
    model: Any, splits: Sequence[Split], *, batches: HalvingBatches, device: str
) -> list[ContinuationScore]:
    """One score each, in order, whatever is computed beside it.

    Every continuation is computed with its whole context: rows padded on the right, in batches of
    similar length. The log-softmax is taken in float32 over the whole vocabulary.
    """
    order = sorted(range(len(splits)), key=lambda index: -_length(splits[index]))
    switch = rotary_switch(model) or 0
    beyond = sum(_length(split) - 1 > switch for split in splits)
    scores: dict[int, ContinuationScore] = {}
    for part in (order[:beyond], order[beyond:]):
        scores.update(
            batches.run(
                part, lambda chosen: _scored(model, [splits[index] for index in chosen], device)
            )
        )
    return [scores[index] for index in range(len(splits))]


def _length(split: Split) -> int:
    return len(split.context) + len(split.continuation)


def _scored(model: Any, splits: Sequence[Split], device: str) -> list[ContinuationScore]:
    """The last token is never fed: nothing that counts comes after it."""
    width = max(map(_length, splits)) - 1
    ids = torch.zeros((len(splits), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, split in enumerate(splits):
        tokens = (*split.context, *split.continuation)[:-1]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    first = min(len(split.context) for split in splits) - 1
    accepted = inspect.signature(model.forward).parameters
    options: dict[str, Any] = {}
    if "attention_mask" in accepted:
        options["attention_mask"] = mask.to(device)
    if "logits_to_keep" in accepted:
        options["logits_to_keep"] = width - first
    if "use_cache" in accepted:
        options["use_cache"] = False
    with torch.inference_mode():
        logits = model(input_ids=ids.to(device), **options).logits
        offset = width - logits.shape[1]
        return [
            _score(logits[row, len(split.context) - 1 - offset :], split.continuation)
            for row, split in enumerate(splits)
        ]


def _score(logits: torch.Tensor, continuation: Sequence[int]) -> ContinuationScore:
    log_probs = torch.log_softmax(logits[: len(continuation)].float(), dim=-1)
    target = torch.tensor(continuation, device=logits.device)
    chosen = log_probs.gather(1, target[:, None])[:, 0]
    return ContinuationScore(
        log_prob=float(chosen.double().sum()),
        tokens=len(continuation),
        greedy=bool((log_probs.argmax(dim=-1) == target).all()),
    )
