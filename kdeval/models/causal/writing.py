"""The generation loop: rows padded on the left, each stopped on its own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.torch_hardware import HalvingBatches

__all__ = ["Job", "Writer", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One text to write.

    Attributes:
        prompt: token ids, at least one.
        uniform: a number in [0, 1) per token that may be written; their count is the limit.
        finished: whether the tokens so far, not counting an end token, are all that is wanted.
    """

    prompt: tuple[int, ...]
    uniform: Sequence[float]
    finished: Callable[[Sequence[int]], bool]


@dataclass(slots=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        tokens: token ids without an end token.
        log_probs: natural-log probability of each, and of the end token where there is one.
        ended: it came to an end, rather than to its limit.
        first_at: clock (`time.perf_counter`) at the first token.
        last_at: clock at the last.
    """

    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    ended: bool = False
    first_at: float = 0.0
    last_at: float = 0.0


class Writer:
    """Writes texts with one model.

    A model that takes no `position_ids` may not be padded on the left without harm; its rows are
    batched by equal length. One that keeps no `past_key_values` reads all of its text anew for
    every token.
    """

    def __init__(self, model: Any, choice: TokenChoice, *, ends: frozenset[int], device: str,
                 batches: HalvingBatches) -> None:  # fmt: skip
        accepted = inspect.signature(model.forward).parameters
        self._model = model
        self._choice = choice
        self._ends = ends
        self._device = device
        self._batches = batches
        self._paddable = "position_ids" in accepted and "attention_mask" in accepted
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
        if self._paddable:
            return [order]
        groups: dict[int, list[int]] = {}
        for index in order:
            groups.setdefault(len(jobs[index].prompt), []).append(index)
        return list(groups.values())

    def _write(self, jobs: Sequence[Job]) -> list[Written]:
        with torch.inference_mode():
            return self._written(jobs)

    def _written(self, jobs: Sequence[Job]) -> list[Written]:
        """Rows that are done leave the batch, where the cache lets them."""
        results = [Written() for _ in jobs]
        ids, mask = _padded_left([job.prompt for job in jobs])
        ids, mask = ids.to(self._device), mask.to(self._device)
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        rows = list(range(len(jobs)))
        cache: Any = None
        for step in range(max(len(job.uniform) for job in jobs)):
            logits, cache = self._forward(ids, mask, positions, cache)
            uniform = [jobs[row].uniform[min(step, len(jobs[row].uniform) - 1)] for row in rows]
            tokens, log_probs = self._choice.choose(logits, uniform)
            self._record(jobs, results, rows, tokens, log_probs)
            kept = [place for place, row in enumerate(rows) if not _done(jobs[row], results[row])]
            if not kept:
                break
            if cache is not None and not hasattr(cache, "batch_select_indices"):
                kept = list(range(len(rows)))
            added = torch.tensor([[tokens[place]] for place in kept], device=self._device)
            if len(kept) < len(rows):
                rows = [rows[place] for place in kept]
                ids, mask, positions = ids[kept], mask[kept], positions[kept]
                if cache is not None:
                    cache.batch_select_indices(torch.tensor(kept, device=self._device))
            mask = torch.cat([mask, torch.ones_like(added)], dim=-1)
            following = positions[:, -1:] + 1
            if cache is None:
                ids = torch.cat([ids, added], dim=-1)
                positions = torch.cat([positions, following], dim=-1)
            else:
                ids, positions = added, following
        return results

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any
                 ) -> tuple[torch.Tensor, Any]:  # fmt: skip
        """Logits after the last token of every row, and the cache when there is one."""
        options: dict[str, Any] = {}
        if self._paddable:
            options |= {"attention_mask": mask, "position_ids": positions}
        if self._caching:
            options |= {"past_key_values": cache, "use_cache": True}
        if self._last_only:
            options["logits_to_keep"] = 1
        out = self._model(input_ids=ids, **options)
        return out.logits[:, -1], out.past_key_values if self._caching else None

    def _record(self, jobs: Sequence[Job], results: Sequence[Written], live: Sequence[int],
                tokens: Sequence[int], log_probs: Sequence[float]) -> None:  # fmt: skip
        now = time.perf_counter()
        for row, token, log_prob in zip(live, tokens, log_probs, strict=True):
            result = results[row]
            if _done(jobs[row], result):
                continue
            if not result.log_probs:
                result.first_at = now
            result.last_at = now
            result.log_probs.append(log_prob)
            if token in self._ends:
                result.ended = True
            else:
                result.tokens.append(token)
                result.ended = jobs[row].finished(result.tokens)


def _done(job: Job, result: Written) -> bool:
    return result.ended or len(result.log_probs) >= len(job.uniform)


def _padded_left(prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (rows, longest)."""
    width = max(map(len, prompts))
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids, mask
