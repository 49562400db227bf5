"""Which token comes next: the likeliest, or one drawn by the row's own numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from kdeval.config.transformers_models import GenerationSettings

__all__ = ["TokenChoice", "draws"]


def draws(seed: int, prompt: str, *, replicate: int, sample: int, count: int
          ) -> NDArray[np.float64]:  # fmt: skip
    """`count` numbers in [0, 1) that only the arguments decide, so not the batch.

    A longer `count` begins with the same numbers.
    """
    content = json.dumps([seed, prompt, replicate, sample], ensure_ascii=False)
    digest = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest)))
    return generator.random(count)


class TokenChoice:
    """Greedy at temperature 0, else by the inverse of the cumulated probabilities."""

    def __init__(self, settings: GenerationSettings) -> None:
        self._settings = settings

    def choose(
        self, logits: torch.Tensor, uniform: Sequence[float]
    ) -> tuple[list[int], list[float]]:
        """Tokens, and their log-probabilities at temperature 1.

        Args:
            logits: shape (rows, vocabulary).
            uniform: a number in [0, 1) per row; not used when greedy.
        """
        logits = logits.float()
        if self._settings.temperature == 0:
            tokens = logits.argmax(dim=-1)
        else:
            tokens = self._drawn(logits.cpu().double(), torch.tensor(uniform).double())
            tokens = tokens.to(logits.device)
        log_probs = logits.gather(1, tokens[:, None])[:, 0] - torch.logsumexp(logits, dim=-1)
        return tokens.tolist(), log_probs.tolist()

    def _drawn(self, logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        """In float64 and in the vocabulary's order: rounding elsewhere seldom moves a choice."""
        settings = self._settings
        scaled = logits / settings.temperature
        if settings.top_k is not None and settings.top_k < scaled.shape[1]:
            least = scaled.topk(settings.top_k, dim=-1).values[:, -1:]
            scaled = scaled.masked_fill(scaled < least, -torch.inf)
        probabilities = torch.softmax(scaled, dim=-1)
        if settings.top_p < 1:
            ordered, places = probabilities.sort(dim=-1, descending=True)
            surplus = ordered.cumsum(dim=-1) - ordered >= settings.top_p
            probabilities = probabilities.masked_fill(surplus.gather(1, places.argsort(dim=-1)), 0)
        heights = probabilities.cumsum(dim=-1)
        wanted = uniform[:, None] * heights[:, -1:]
        found = torch.searchsorted(heights, wanted, right=True)[:, 0]
        return found.clamp(max=logits.shape[1] - 1)
