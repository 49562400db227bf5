"""What a language model with open weights can be asked beside its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from kdeval.models.protocols import Model, Request

if TYPE_CHECKING:
    from kdeval.models.causal.prompts import Split
    from kdeval.models.causal.scoring import ContinuationScore

__all__ = ["TokenScorer"]


@runtime_checkable
class TokenScorer(Model, Protocol):
    """Tells the probability of every token of its vocabulary at every place of a given text."""

    def vocabulary(self) -> Mapping[str, int]:
        """Token to its number; two models read the same tokens where these are equal."""

    def token_text(self, token: int) -> str:
        """What the token writes."""

    def answer_splits(
        self, requests: Sequence[Request], answers: Sequence[str]
    ) -> Sequence[Split | str]:
        """Each answer after its prompt as the model reads it, or why it cannot read it."""

    def score_continuations(self, splits: Sequence[Split]) -> Sequence[ContinuationScore]:
        """The log-likelihood of each continuation after its context."""

    def teacher_forced(self, split: Split, *, most_logits: int) -> Iterator[Any]:
        """Logits before each token of the continuation, shape (tokens, vocabulary), in pieces.

        Args:
            split: context and continuation.
            most_logits: numbers that one piece may hold, so that memory stays flat; a piece has
                one token or more. Pieces of models with equal vocabularies are cut alike.
        """
