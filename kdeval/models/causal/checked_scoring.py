"""The fast computation of log-likelihoods, trusted once it has equalled the plain one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kdeval.models.causal.obstacles import obstacle
from kdeval.models.causal.prefix_tree import reading_order
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.scoring import ContinuationScore, score_continuations
from kdeval.models.causal.shared_prefix import SharedPrefixScorer
from kdeval.models.torch_hardware import HalvingBatches, out_of_memory

__all__ = ["CheckedScorer", "tolerance"]

_TOLERANCE = {"float32": (0.0, 1e-4), "float16": (0.02, 0.01), "bfloat16": (0.15, 0.05)}
"""Of any text, and more for each of its tokens. A mask or position gone wrong shifts every token,
by tenths of a nat; rounding hardly adds up, but a logit near 32 moves by a step of its dtype (0.125
in bfloat16), and so does what it is held against."""

_CHECKED = 2
_PLAIN = "choices were computed with their whole prompts"


def tolerance(dtype: str, tokens: int) -> float:
    """The largest difference of a text's log-likelihood that rounding may make, in nats."""
    once, each = _TOLERANCE.get(dtype, _TOLERANCE["bfloat16"])
    return once + each * tokens


class CheckedScorer:
    """Shares beginnings where the model allows it, and says where it does not.

    The first call's first documents, and the one that is read last, are computed the plain way too.
    When the two differ, or the model's code fails at any time, this and every later call are plain.

    Attributes:
        note: why beginnings are not shared, or None.
    """

    def __init__(self, model: Any, *, device: str, dtype: str, batches: HalvingBatches) -> None:
        self._model = model
        self._device = device
        self._dtype = dtype
        self._batches = batches
        self._fast = SharedPrefixScorer(model, device=device)
        self._checked = self._stopped = False
        self.note: str | None = None

    def score(self, splits: Sequence[Split]) -> list[ContinuationScore]:
        """One score each, in order."""
        if not splits:
            return []
        longest = max(len(split.context) + len(split.continuation) for split in splits)
        reason = None if self._stopped else obstacle(self._model, longest)
        if reason is not None:
            self.note = f"{_PLAIN}: {reason}"
        if self._stopped or reason is not None:
            return self._plain(splits)
        found = self._trusted(splits)
        self._checked, self._stopped = True, found is None
        return self._plain(splits) if found is None else found

    def _trusted(self, splits: Sequence[Split]) -> list[ContinuationScore] | None:
        """The fast scores; None, with a note, where they fail or are not the plain ones."""
        try:
            found = self._fast.score(splits)
        except Exception as error:  # whatever a model's own code makes of a tree
            if out_of_memory(error):
                raise
            self.note = f"{_PLAIN}: its code takes no tree ({type(error).__name__})"
            return None
        return found if self._checked or self._agrees(splits, found) else None

    def _plain(self, splits: Sequence[Split]) -> list[ContinuationScore]:
        return score_continuations(self._model, splits, batches=self._batches, device=self._device)

    def _agrees(self, splits: Sequence[Split], found: Sequence[ContinuationScore]) -> bool:
        """Whether some documents' scores are those of the plain computation."""
        first = {split.context: index for index, split in reversed(list(enumerate(splits)))}
        chosen = sorted({*sorted(first.values())[:_CHECKED], reading_order(splits)[-1]})
        plain = self._plain([splits[index] for index in chosen])
        for index, expected in zip(chosen, plain, strict=True):
            apart = abs(found[index].log_prob - expected.log_prob)
            same = math.isnan(expected.log_prob) and math.isnan(found[index].log_prob)
            if not same and not apart <= tolerance(self._dtype, expected.tokens):
                self.note = (
                    f"{_PLAIN}: sharing beginnings gave log-likelihoods that differ by "
                    f"{apart:.2g} nats"
                )
                return False
        return True
