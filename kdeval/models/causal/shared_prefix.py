"""Log-likelihoods with every shared beginning computed once.

Header, document and choices form a tree. A header that many groups share is computed once and its
keys and values kept; what follows it is packed into one row in which a token attends to its
ancestors only. Just the positions before a scored token are projected through the vocabulary, and
the log-softmax is taken in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from kdeval.models.causal.prefix_tree import Group, PackedTree, common, groups, pack
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.scoring import ContinuationScore
from kdeval.models.torch_hardware import out_of_memory, release_memory

__all__ = ["SharedPrefixScorer"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_LEAST_HEADER = 64
_BUDGET = {"cpu": 512, "accelerator": 8192}
_SMALLEST_BUDGET = 64
_ROWS = 512
_LONG = 2048
"""Tokens of a text whose mask is worth saving; of shorter ones it lets the check see a tree's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Tokens with their keys and values, and the logits after the last of them, shape (1, V)."""

    tokens: tuple[int, ...]
    cache: Any
    logits: torch.Tensor


class SharedPrefixScorer:
    """Scores continuations; the last header stays for the next call.

    A call that has but one context uses none, so that its timing is that of the whole request.
    Where memory does not suffice, groups become half as large and stay so.

    Args:
        model: one that has no `obstacle` to sharing.
        device: where it is.
        budget: tokens of a pass, beside the header's; default by the device.
    """

    def __init__(self, model: Any, *, device: str, budget: int | None = None) -> None:
        self._model = model
        self._device = device
        self._budget = budget or _BUDGET["cpu" if device == "cpu" else "accelerator"]
        self._header: _Header | None = None

    def score(self, splits: Sequence[Split]) -> list[ContinuationScore]:
        """One score each, in order; none may be longer than the model takes."""
        scores: dict[int, ContinuationScore] = {}
        if len({split.context for split in splits}) == 1:
            self._header = None
        while len(scores) < len(splits):
            left = [index for index in range(len(splits)) if index not in scores]
            try:
                with torch.inference_mode():
                    self._score_groups(splits, left, scores)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or self._budget <= _SMALLEST_BUDGET:
                    raise
                self._budget = max(_SMALLEST_BUDGET, self._budget // 2)
                self._header = None
                release_memory(self._device)
        return [scores[index] for index in range(len(splits))]

    def _score_groups(
        self, splits: Sequence[Split], left: Sequence[int], scores: dict[int, ContinuationScore]
    ) -> None:
        """Adds to `scores` group by group, so that what was computed stays."""
        chosen = [splits[index] for index in left]
        for group in groups(chosen, budget=self._budget, least_header=_LEAST_HEADER):
            header = self._header_of(group.header)
            found = self._score_group(chosen, group, header)
            scores.update(
                (left[member], score) for member, score in zip(group.members, found, strict=True)
            )

    def _header_of(self, tokens: tuple[int, ...]) -> _Header | None:
        """The header with those tokens; what it has in common with the last one is kept."""
        last = self._header
        if not tokens or (last is not None and last.tokens == tokens):
            return last if tokens else None
        kept = 0 if last is None else min(common(last.tokens, tokens), len(tokens) - 1)
        if last is None or kept < _LEAST_HEADER:
            kept, cache = 0, transformers.DynamicCache()
        else:
            cache = _beginning(last.cache, kept)
        logits = self._model(
            input_ids=torch.tensor([tokens[kept:]], device=self._device),
            position_ids=torch.arange(kept, len(tokens), device=self._device)[None],
            attention_mask=torch.ones((1, len(tokens)), dtype=torch.long, device=self._device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[0]
        self._header = _Header(tokens=tokens, cache=cache, logits=logits)
        return self._header

    def _score_group(
        self, splits: Sequence[Split], group: Group, header: _Header | None
    ) -> list[ContinuationScore]:
        tree = pack(splits, group)
        rows, place_rows = np.unique(tree.places, return_inverse=True)
        logits = [] if header is None or rows[0] >= 0 else [header.logits]
        if len(nodes := rows[rows >= 0]):
            logits.append(self._logits(tree, nodes, header))
        found = _read(torch.cat(logits), place_rows, tree.targets)
        return _summed(found, tree.owners, len(group.members))

    def _logits(self, tree: PackedTree, nodes: IntArray, header: _Header | None) -> torch.Tensor:
        """Logits after those nodes, shape (nodes, vocabulary)."""
        past = 0 if header is None else len(header.tokens)
        options: dict[str, Any] = {"use_cache": False}
        if header is not None:
            options = {"past_key_values": _beginning(header.cache, past), "use_cache": True}
        depths = torch.from_numpy(tree.depths + past)
        out = self._model(
            input_ids=torch.from_numpy(tree.tokens)[None].to(self._device),
            position_ids=depths[None].to(self._device),
            attention_mask=_mask(tree, past, self._model.dtype, self._device),
            logits_to_keep=torch.from_numpy(nodes).to(self._device),
            **options,
        )
        logits: torch.Tensor = out.logits[0]
        return logits


def _mask(tree: PackedTree, past: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    """0 where a node sees, and the lowest number elsewhere; shape (1, 1, n, past + n).

    Of one long text 1 for each token, shape (1, past + n): a kernel then needs no square of it.
    """
    n = len(tree.depths)
    if n > _LONG and tree.depths[-1] == n - 1:
        return torch.ones((1, past + n), dtype=torch.long, device=device)
    nodes = torch.arange(n, device=device)
    seen = (nodes[:, None] >= nodes) & (nodes[:, None] < torch.from_numpy(tree.ends).to(device))
    mask = torch.zeros((n, past + n), dtype=dtype, device=device)
    mask[:, past:].masked_fill_(~seen, torch.finfo(dtype).min)
    return mask[None, None]


def _beginning(cache: Any, tokens: int) -> Any:
    """A cache that starts with the first tokens of `cache` and leaves that one as it is."""
    shell = copy.copy(cache)
    shell.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in shell.layers:
        layer.keys, layer.values = layer.keys[..., :tokens, :], layer.values[..., :tokens, :]
    return shell


def _read(logits: torch.Tensor, rows: IntArray, targets: IntArray) -> tuple[FloatArray, BoolArray]:
    """Log-probability of each target after its row, in float32, and whether it is the likeliest.

    By the same kernel as the plain computation and lm-eval's: on a CPU it is off by up to 1e-5 a
    token, always alike, which would otherwise add up to a difference between them.
    """
    row, target = (torch.from_numpy(item).to(logits.device) for item in (rows, targets))
    log_probs = torch.empty(len(row), device=logits.device)
    greedy = torch.empty(len(row), dtype=torch.bool, device=logits.device)
    for start in range(0, len(logits), _ROWS):
        here = (row >= start) & (row < start + _ROWS)
        part = torch.log_softmax(logits[start : start + _ROWS].float(), dim=-1)
        log_probs[here] = part[row[here] - start, target[here]]
        greedy[here] = part.argmax(dim=-1)[row[here] - start] == target[here]
    return log_probs.double().cpu().numpy(), greedy.cpu().numpy()


def _summed(
    found: tuple[FloatArray, BoolArray], owners: IntArray, members: int
) -> list[ContinuationScore]:
    log_probs, greedy = found
    sums = np.bincount(owners, weights=log_probs, minlength=members)
    tokens = np.bincount(owners, minlength=members)
    misses = np.bincount(owners, weights=~greedy, minlength=members)
    return [
        ContinuationScore(log_prob=float(total), tokens=int(count), greedy=missed == 0)
        for total, count, missed in zip(sums, tokens, misses.tolist(), strict=True)
    ]
