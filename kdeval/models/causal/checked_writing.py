"""Continuous batching, trusted once it has equalled the plain computation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kdeval.models.causal.checked_scoring import tolerance
from kdeval.models.causal.obstacles import obstacle
from kdeval.models.causal.padded_writing import PaddedWriter
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.scoring import score_continuations
from kdeval.models.causal.slot_writing import SlotWriter
from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.causal.writing import Job, Written
from kdeval.models.torch_hardware import HalvingBatches, out_of_memory

__all__ = ["CheckedWriter"]

_PLAIN = "texts were written in plain batches, every prompt read as a whole"


class CheckedWriter:
    """Batches continuously where the model allows it, and says where it does not.

    Of the first call's texts the first and the one that was begun last are read again in one plain
    pass. When their log-probabilities differ, or the model's code fails at any time, this and every
    later call are plain.

    Attributes:
        note: why texts are written in plain batches, or None.
    """

    def __init__(self, model: Any, choice: TokenChoice, *, ends: frozenset[int], device: str,
                 dtype: str, batches: HalvingBatches) -> None:  # fmt: skip
        self._model = model
        self._device = device
        self._dtype = dtype
        self._batches = batches
        self._plain = PaddedWriter(model, choice, ends=ends, device=device, batches=batches)
        self._fast = SlotWriter(model, choice, ends=ends, device=device, batches=batches)
        self._checked = self._stopped = False
        self.note: str | None = None

    def write(self, jobs: Sequence[Job]) -> list[Written]:
        """One text each, in order."""
        if not jobs:
            return []
        longest = max(len(job.prompt) + len(job.uniform) for job in jobs)
        reason = None if self._stopped else obstacle(self._model, longest)
        if reason is not None:
            self.note = f"{_PLAIN}: {reason}"
        if self._stopped or reason is not None:
            return self._plain.write(jobs)
        found = self._trusted(jobs)
        self._stopped = found is None
        return self._plain.write(jobs) if found is None else found

    def _trusted(self, jobs: Sequence[Job]) -> list[Written] | None:
        """The fast texts; None, with a note, where they fail or are not the plain ones."""
        try:
            found = self._fast.write(jobs)
        except Exception as error:  # whatever a model's own code makes of the cache
            if out_of_memory(error):
                raise
            self.note = f"{_PLAIN}: its code takes no slots ({type(error).__name__})"
            return None
        return found if self._checked or self._agrees(jobs, found) else None

    def _agrees(self, jobs: Sequence[Job], found: Sequence[Written]) -> bool:
        """Whether a plain pass gives some texts the log-probabilities that they were noted with."""
        told = [index for index, text in enumerate(found) if text.tokens]
        if not told:
            return True
        chosen = sorted({told[0], max(told, key=lambda index: found[index].started_at)})
        splits = [
            Split(context=jobs[index].prompt, continuation=tuple(found[index].tokens))
            for index in chosen
        ]
        plain = score_continuations(self._model, splits, batches=self._batches, device=self._device)
        self._checked = True
        for index, expected in zip(chosen, plain, strict=True):
            noted = math.fsum(found[index].log_probs[: expected.tokens])
            apart = abs(noted - expected.log_prob)
            same = math.isnan(expected.log_prob) and math.isnan(noted)
            if not same and not apart <= tolerance(self._dtype, expected.tokens):
                self.note = f"{_PLAIN}: the faster way differed by {apart:.2g} nats"
                return False
        return True
