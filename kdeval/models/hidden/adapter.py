"""What an adapter needs to show its network's hidden states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from kdeval.models.hidden.maps import attention_maps
from kdeval.models.hidden.network import Network
from kdeval.models.hidden.states import pooled_states
from kdeval.models.protocols import Request
from kdeval.models.white_box import Pooling, SampleAttention, SampleStates

__all__ = ["OpenNetwork"]


class OpenNetwork(ABC):
    """The `HiddenStates` of an adapter whose weights are a transformers model."""

    @abstractmethod
    def _network(self) -> Network:
        """The weights, read in where they are not yet, and how they read a request."""

    def hidden_states(
        self, requests: Sequence[Request], *, tokens: Pooling
    ) -> Sequence[SampleStates | str]:
        """The representation of each sample after each layer, or why there is none."""
        return pooled_states(self._network(), requests, tokens=tokens)

    def attention_maps(
        self, requests: Sequence[Request], *, looking: int
    ) -> Sequence[SampleAttention | str]:
        """What each head looks at in each sample, or why that is not known."""
        return attention_maps(self._network(), requests, looking=looking)
