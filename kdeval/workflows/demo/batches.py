"""Texts as token ids, and batches of texts of about the same length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

__all__ = ["MAX_TOKENS", "length_batches", "padded", "tokenize"]

MAX_TOKENS = 64

_BATCHES_SORTED_TOGETHER = 20


def tokenize(tokenizer: Any, texts: Sequence[str]) -> list[torch.Tensor]:
    """Token ids of each text, cut at `MAX_TOKENS`."""
    encoded = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)
    return [torch.tensor(ids) for ids in encoded["input_ids"]]


def length_batches(
    lengths: Sequence[int], size: int, generator: torch.Generator | None = None
) -> list[list[int]]:
    """Indices in batches of similar lengths; shuffled when a generator is given."""
    if generator is None:
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        return [order[start : start + size] for start in range(0, len(order), size)]
    order = torch.randperm(len(lengths), generator=generator).tolist()
    batches: list[list[int]] = []
    stretch = size * _BATCHES_SORTED_TOGETHER
    for start in range(0, len(order), stretch):
        near = sorted(order[start : start + stretch], key=lengths.__getitem__)
        batches += [near[i : i + size] for i in range(0, len(near), size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def padded(rows: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """A BERT model's arguments for rows of token ids, or of states."""
    lengths = torch.tensor([len(row) for row in rows])
    inputs = pad_sequence(list(rows), batch_first=True)
    mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
    name = "inputs_embeds" if inputs.dim() == 3 else "input_ids"
    return {name: inputs, "attention_mask": mask}
