"""The hidden states of a causal language model, over the prompts that it answers."""

from __future__ import annotations

from abc import abstractmethod

from kdeval.config.transformers_models import CausalLMConfig
from kdeval.models.causal.fitting import TooLongError
from kdeval.models.causal.likelihood import text_split
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.hidden.adapter import OpenNetwork
from kdeval.models.hidden.network import Network, Reading, body_of, text_reading
from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import HalvingBatches, release_memory

__all__ = ["OpenCausalLM"]

_WRITTEN = ("generation", "extraction")
_MADE = ("_loaded", "_scorer", "_writers")
"""What holds the weights, once made."""


class OpenCausalLM(OpenNetwork):
    """What `CausalLM` reads of a request: the prompt as when it answers; of likelihood the text."""

    device: str
    _config: CausalLMConfig
    _batches: HalvingBatches
    _noted: tuple[str, ...] = ()

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers should know of how they were computed."""

    @property
    @abstractmethod
    def _loaded(self) -> LoadedModel:
        """Weights and tokenizer."""

    @property
    def in_memory(self) -> bool:
        """Whether the weights have been read."""
        return "_loaded" in self.__dict__

    def release(self) -> None:
        """Forgets the weights; the next request reads them again. Notes stay."""
        self._noted = self.notes
        for name in _MADE:
            self.__dict__.pop(name, None)
        release_memory(self.device)

    def _network(self) -> Network:
        loaded = self._loaded
        return Network(
            body=body_of(loaded.model), read=self._read, device=self.device,
            batches=self._batches, sees_only_before=True,
        )  # fmt: skip

    def _read(self, request: Request) -> Reading | str:
        if request.image is not None:
            return "a causal_lm reads text, no images"
        try:
            ids = self._tokens(request)
        except TooLongError:
            return f"longer than the {self._loaded.longest:,} tokens that it takes"
        except ValueError as error:
            return str(error)
        tokens = self._loaded.tokenizer.convert_ids_to_tokens(ids)
        return text_reading({"input_ids": ids}, tokens)

    def _tokens(self, request: Request) -> list[int]:
        """The tokens of the prompt, or of a likelihood's context and text.

        Raises:
            ValueError: there is none, or they do not fit.
        """
        loaded, policy = self._loaded, self._config.too_long
        if request.kind == "likelihood":
            split = text_split(request, loaded, policy)
            return [*split.context, *split.continuation]
        written = request.kind in _WRITTEN
        prompts = loaded.prompts
        prompt = prompts.for_writing(request) if written else prompts.for_choosing(request)
        ids = prompts.tokens(prompt)
        if loaded.longest is not None and len(ids) > loaded.longest:
            if policy == "error":
                raise TooLongError(len(ids), loaded.longest)
            return ids[-loaded.longest :]
        return ids
