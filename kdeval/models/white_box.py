"""What a model with open weights can be asked beside its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kdeval.models.protocols import Model, Request

if TYPE_CHECKING:
    from kdeval.models.causal.prompts import Split
    from kdeval.models.causal.scoring import ContinuationScore

__all__ = ["HiddenStates", "Pooling", "SampleAttention", "SampleStates", "TokenScorer"]

Pooling = Literal["mean", "last", "first"]
"""Which tokens of a sample its representation is made of."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStates:
    """A sample inside a network.

    Attributes:
        vectors: its representation after the embeddings and after each layer; widths may differ.
        tokens: that the network reads of it.
        digest: two models read the same tokens where these are equal.
    """

    vectors: tuple[NDArray[np.float32], ...]
    tokens: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAttention:
    """What a few tokens of a sample look at.

    Attributes:
        maps: for each layer shape (heads, tokens that look, tokens); rows sum to 1.
        places: of the tokens that look, counted from 0.
        one_way: a token sees none behind it.
        digest: two models read the same tokens where these are equal.
    """

    maps: tuple[NDArray[np.float32], ...]
    places: tuple[int, ...]
    one_way: bool
    digest: str


@runtime_checkable
class HiddenStates(Model, Protocol):
    """Shows what it makes of a sample inside.

    `in_memory` says whether the weights are there; `release` forgets them until they are needed
    again, so that two models need not be in memory together.
    """

    @property
    def in_memory(self) -> bool:
        """Whether the weights are in memory."""

    def release(self) -> None:
        """Forgets the weights."""

    def hidden_states(
        self, requests: Sequence[Request], *, tokens: Pooling
    ) -> Sequence[SampleStates | str]:
        """The representation of each sample after each layer, or why there is none.

        It depends on the sample alone, not on what else is asked at once.
        """

    def attention_maps(
        self, requests: Sequence[Request], *, looking: int
    ) -> Sequence[SampleAttention | str]:
        """What each head looks at in each sample, from so many tokens, or why it is not known."""
