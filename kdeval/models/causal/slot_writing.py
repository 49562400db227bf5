"""Continuous batching: a row that is done makes room for the next prompt at once.

After Yu et al. 2022, "Orca". What several prompts begin with is computed once, prompts are read in
passes of limited size, and every step adds one token to each row without copying the others.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from kdeval.models.causal.padded_writing import padded_left
from kdeval.models.causal.prefix_tree import common
from kdeval.models.causal.shared_headers import shared_headers
from kdeval.models.causal.slot_cache import SlotCache, expanded
from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.causal.writing import Job, Written
from kdeval.models.torch_hardware import HalvingBatches, out_of_memory

__all__ = ["SlotWriter"]

_LEAST_SAVED = 64
"""Tokens that a header must save: a pass of its own costs about as much."""

_PASS = {"cpu": 768, "accelerator": 8192}
"""Tokens of a pass over prompts; one prompt may exceed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Tokens with their keys and values."""

    tokens: tuple[int, ...]
    cache: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A job in the queue; `header` tokens of its prompt are shared with others."""

    index: int
    job: Job
    header: int


@dataclass(slots=True, kw_only=True)
class _Row:
    """A text being written, and the token to read next."""

    index: int
    job: Job
    result: Written
    token: int


class SlotWriter:
    """Writes with as many rows at a time as the batch limit says.

    Where memory does not suffice, the limit is halved, and the rows that were under way begin
    anew. The last shared beginning stays for the next call; a call that has but one prompt uses
    none, so that its timing is that of the whole request.

    Args:
        model: one that has no `obstacle` to sharing.
    """

    def __init__(self, model: Any, choice: TokenChoice, *, ends: frozenset[int], device: str,
                 batches: HalvingBatches) -> None:  # fmt: skip
        self._model = model
        self._choice = choice
        self._ends = ends
        self._device = device
        self._batches = batches
        self._pass = _PASS["cpu" if device == "cpu" else "accelerator"]
        self._header: _Header | None = None

    def write(self, jobs: Sequence[Job]) -> list[Written]:
        """One text each, in order."""
        found: dict[int, Written] = {}
        if len({job.prompt for job in jobs}) == 1:
            self._header = None
        while len(found) < len(jobs):
            left = [index for index in range(len(jobs)) if index not in found]
            limit = min(self._batches.limit, len(left))
            try:
                with torch.inference_mode():
                    self._write(_queue(jobs, left), limit, found)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or limit == 1:
                    raise
                self._header = None
                self._batches.halve(limit)
        return [found[index] for index in range(len(jobs))]

    def _write(self, queue: deque[_Waiting], limit: int, found: dict[int, Written]) -> None:
        """Adds to `found` text by text, so that what was written stays."""
        rows: list[_Row] = []
        cache = SlotCache(limit)
        while queue or rows:
            while queue and len(rows) < limit:
                rows += self._read(self._taken(queue, limit - len(rows)), cache, found)
            if rows:
                self._step(rows, cache, found)

    def _taken(self, queue: deque[_Waiting], free: int) -> list[_Waiting]:
        """The next jobs that go into one pass: of the same header, and not too many tokens."""
        taken = [queue.popleft()]
        first = taken[0]
        header = first.job.prompt[: first.header]
        width = len(first.job.prompt) - first.header
        while queue and len(taken) < free:
            item = queue[0]
            if item.job.prompt[: item.header] != header:
                break
            width = max(width, len(item.job.prompt) - item.header)
            if width * (len(taken) + 1) > self._pass:
                break
            taken.append(queue.popleft())
        return taken

    def _read(
        self, taken: Sequence[_Waiting], cache: SlotCache, found: dict[int, Written]
    ) -> list[_Row]:
        """Reads prompts and writes the first token of each; the rows that go on."""
        started = time.perf_counter()
        shared = taken[0].header
        past = self._past(taken[0].job.prompt[:shared], len(taken))
        ids, real = padded_left([item.job.prompt[shared:] for item in taken])
        positions = (real.cumsum(dim=-1) - 1).clamp(min=0) + shared
        logits = self._forward(ids, positions, _seen(real, shared), past)
        rows = [
            _Row(index=item.index, job=item.job, result=Written(started_at=started), token=0)
            for item in taken
        ]
        done = self._choose(rows, logits)
        for place, row in enumerate(rows):
            if place in done:
                found[row.index] = row.result
            else:
                padding = ids.shape[1] + shared - len(row.job.prompt)
                cache.join(past, place, (shared, shared + padding))
        return [row for place, row in enumerate(rows) if place not in done]

    def _step(self, rows: list[_Row], cache: SlotCache, found: dict[int, Written]) -> None:
        """One token more for every row; those that are done leave."""
        positions, seen = cache.expect_token()
        ids = torch.tensor([[row.token] for row in rows])
        logits = self._forward(ids, positions, seen[:, None], cache)
        for place in sorted(self._choose(rows, logits), reverse=True):
            result = rows[place].result
            if not math.isfinite(result.log_probs[-1]):
                cache.clear(place)
            cache.leave(place)
            found[rows[place].index] = result
            rows[place] = rows[-1]
            rows.pop()

    def _choose(self, rows: Sequence[_Row], logits: torch.Tensor) -> set[int]:
        """Notes the next token of every row; places of the rows that are done."""
        uniform = [row.job.uniform[len(row.result.log_probs)] for row in rows]
        tokens, log_probs = self._choice.choose(logits, uniform)
        now = time.perf_counter()
        done = set()
        for place, row in enumerate(rows):
            row.token = tokens[place]
            if row.result.add(tokens[place], log_probs[place], now, row.job, self._ends):
                done.add(place)
        return done

    def _past(self, tokens: tuple[int, ...], rows: int) -> Any:
        """A cache of so many rows that begin with those tokens, which may be none."""
        if not tokens:
            return transformers.DynamicCache()
        last = self._header
        if last is None or last.tokens[: len(tokens)] != tokens:
            same = 0 if last is None else min(common(last.tokens, tokens), len(tokens) - 1)
            kept = same if same >= _LEAST_SAVED else 0
            cache = expanded(last.cache, kept, 1) if last and kept else transformers.DynamicCache()
            ids = torch.tensor([tokens[kept:]])
            positions = torch.arange(kept, len(tokens))[None]
            self._forward(ids, positions, _seen(torch.ones_like(ids), kept), cache)
            self._header = last = _Header(tokens=tokens, cache=cache)
        return expanded(last.cache, len(tokens), rows)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor | None,
                 cache: Any) -> torch.Tensor:  # fmt: skip
        """Logits after each row's last token.

        Args:
            ids: shape (rows, tokens).
            positions: shape (rows, tokens).
            seen: which columns of the cache each token sees, shape (rows, tokens, columns); None:
                those up to its own.
            cache: gets the tokens' keys and values.
        """
        logits: torch.Tensor = self._model(
            input_ids=ids.to(self._device),
            position_ids=positions.to(self._device),
            attention_mask=self._mask(ids, seen),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1]

    def _mask(self, ids: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
        """0 where a token sees, and the lowest number elsewhere; shape (rows, 1, tokens, columns).

        The lowest number and not infinity: padding sees nothing, and its sums must stay finite.
        """
        if seen is None:
            return torch.ones_like(ids, device=self._device)
        dtype = self._model.dtype
        seen = seen[:, None].to(self._device)
        mask = torch.zeros(seen.shape, dtype=dtype, device=self._device)
        return mask.masked_fill_(~seen, torch.finfo(dtype).min)


def _seen(real: torch.Tensor, past: int) -> torch.Tensor | None:
    """Which of `past` shared columns and of its own each token sees; None: all up to itself.

    Args:
        real: 0 for padding on the left, 1 for tokens; shape (rows, tokens).
        past: columns before.
    """
    rows, width = real.shape
    if past == 0 and bool(real.all()):
        return None
    seen = torch.ones((rows, width, past + width), dtype=torch.bool)
    seen[..., past:] = torch.ones((width, width), dtype=torch.bool).tril() & real[:, None].bool()
    return seen


def _queue(jobs: Sequence[Job], left: Sequence[int]) -> deque[_Waiting]:
    """The jobs by shared beginning, the longest first among those of one."""
    prompts = [jobs[index].prompt for index in left]
    headers = shared_headers(prompts, least=_LEAST_SAVED)
    queue = [
        _Waiting(index=index, job=jobs[index], header=header)
        for index, header in zip(left, headers, strict=True)
    ]
    queue.sort(key=lambda item: (item.job.prompt[: item.header], -len(item.job.prompt)))
    return deque(queue)
