"""Plain batches: rows padded on the left, each stopped on its own; for every architecture."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any

import torch

from kdeval.models.causal.obstacles import numbers_its_positions
from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.causal.writing import Job, Written
from kdeval.models.rotary_positions import rotary_switch
from kdeval.models.torch_hardware import HalvingBatches

__all__ = ["PaddedWriter", "padded_left"]


class PaddedWriter:
    """Writes one batch after the other, with the cache that the model makes itself.

    A model that takes no `position_ids`, or counts them its own way, may not be padded on the left
    without harm; its rows are batched by equal length. One that keeps no `past_key_values` reads
    all of its text anew for every token; one whose positions turn otherwise beyond a length does so
    once, when a text, then alone, gets there.
    """

    def __init__(self, model: Any, choice: TokenChoice, *, ends: frozenset[int], device: str,
                 batches: HalvingBatches) -> None:  # fmt: skip
        accepted = inspect.signature(model.forward).parameters
        self._model = model
        self._choice = choice
        self._ends = ends
        self._device = device
        self._batches = batches
        self._paddable = {"position_ids", "attention_mask"} <= set(accepted)
        self._paddable &= not numbers_its_positions(model)
        self._switch = rotary_switch(model)
        self._caching = "past_key_values" in accepted
        self._last_only = "logits_to_keep" in accepted

    def write(self, jobs: Sequence[Job]) -> list[Written]:
        """One text each, in order; longest prompts first, in batches of similar length."""
        found: dict[int, Written] = {}
        for group in self._groups(jobs):
            found.update(
                self._batches.run(
                    group, lambda chosen: self._write([jobs[index] for index in chosen])
                )
            )
        return [found[index] for index in range(len(jobs))]

    def _groups(self, jobs: Sequence[Job]) -> list[list[int]]:
        order = sorted(range(len(jobs)), key=lambda index: -len(jobs[index].prompt))
        groups: dict[tuple[int, int], list[int]] = {}
        for index in order:
            length = 0 if self._paddable else len(jobs[index].prompt)
            groups.setdefault((length, self._side(index, jobs[index])), []).append(index)
        return list(groups.values())

    def _side(self, index: int, job: Job) -> int:
        """-1 for a text that stays within the switch of positions, -2 beyond it; else its own."""
        if self._switch is None or len(job.prompt) + len(job.uniform) <= self._switch:
            return -1
        return -2 if len(job.prompt) > self._switch else index

    def _write(self, jobs: Sequence[Job]) -> list[Written]:
        with torch.inference_mode():
            return self._written(jobs)

    def _written(self, jobs: Sequence[Job]) -> list[Written]:
        """Rows that are done leave the batch, where the cache lets them."""
        start = time.perf_counter()
        results = [Written(started_at=start) for _ in jobs]
        ids, mask = padded_left([job.prompt for job in jobs])
        ids, mask = ids.to(self._device), mask.to(self._device)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        rows = list(range(len(jobs)))
        done: set[int] = set()
        cache: Any = None
        while True:
            logits, cache = self._forward(ids, mask, positions, cache)
            tokens = self._chosen(jobs, results, rows, logits, done)
            kept = [place for place, row in enumerate(rows) if row not in done]
            if not kept:
                return results
            if cache is not None and not hasattr(cache, "reorder_cache"):
                kept = list(range(len(rows)))
            added = torch.tensor([[tokens[place]] for place in kept], device=self._device)
            if len(kept) < len(rows):
                rows = [rows[place] for place in kept]
                ids, mask, positions = ids[kept], mask[kept], positions[kept]
                if cache is not None:
                    cache.reorder_cache(torch.tensor(kept, device=self._device))
            mask = torch.cat([mask, torch.ones_like(added)], dim=-1)
            following = positions[:, -1:] + 1
            ids = torch.cat([ids, added], dim=-1)
            positions = torch.cat([positions, following], dim=-1)
            if self._switch is not None and ids.shape[1] == self._switch + 1:
                cache = None

    def _chosen(self, jobs: Sequence[Job], results: Sequence[Written], rows: Sequence[int],
                logits: torch.Tensor, done: set[int]) -> list[int]:  # fmt: skip
        """The next token of every row, noted for those that are not done."""
        uniform = [
            jobs[row].uniform[min(len(results[row].log_probs), len(jobs[row].uniform) - 1)]
            for row in rows
        ]
        tokens, log_probs = self._choice.choose(logits, uniform)
        now = time.perf_counter()
        for row, token, log_prob in zip(rows, tokens, log_probs, strict=True):
            if row not in done and results[row].add(token, log_prob, now, jobs[row], self._ends):
                done.add(row)
        return tokens

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
                 ) -> tuple[torch.Tensor, Any]:  # fmt: skip
        """Logits after the last token of every row, and the cache when there is one.

        Args:
            ids: all tokens so far; those before the last are in the cache where there is one.
            mask: 0 for padding, shape as `ids`.
            positions: shape as `ids`.
            cache: what the model gave before.
        """
        if cache is not None:
            ids, positions = ids[:, -1:], positions[:, -1:]
        options: dict[str, Any] = {}
        if self._paddable:
            options |= {"attention_mask": mask, "position_ids": positions}
        if self._caching:
            options |= {"past_key_values": cache, "use_cache": True}
        if self._last_only:
            options["logits_to_keep"] = 1
        out = self._model(input_ids=ids, **options)
        return out.logits[:, -1], out.past_key_values if self._caching else None


def padded_left(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (rows, longest)."""
    width = max(map(len, rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, width - len(tokens) :] = torch.tensor(tokens)
        mask[row, width - len(tokens) :] = 1
    return ids, mask
