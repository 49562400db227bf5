"""A model that is in memory, while it is being trained, as a kdeval model."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch

from kdeval.config.transformers_models import CausalLMConfig, SequenceClassifierConfig
from kdeval.errors import ModelError
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.model import CausalLM
from kdeval.models.protocols import Model
from kdeval.models.sequence_classifier import SequenceClassifier
from kdeval.models.torch_hardware import HalvingBatches, PeakMemory
from kdeval.store.fingerprints import value_digest

__all__ = ["inferring", "live_model"]


def live_model(config: Any, model: Any, tokenizer: Any) -> Model:
    """The model as the adapter of `config` asks it; nothing is copied or written.

    Its fingerprint covers the weights as they are now: make a new one after training went on.

    Args:
        config: of a sequence_classifier or causal_lm; its path is not read.
        model: the transformers model.
        tokenizer: its tokenizer; a copy is used, so that padding and truncation stay the trainer's.

    Raises:
        ModelError: there is no live adapter for that type of model.
    """
    if isinstance(config, SequenceClassifierConfig):
        return _LiveClassifier(config, model, copy.deepcopy(tokenizer))
    if isinstance(config, CausalLMConfig) and config.quantization is None:
        return _LiveCausalLM(config, model, copy.deepcopy(tokenizer))
    raise ModelError(
        f"{config.name}: a model in memory is asked as type: sequence_classifier or causal_lm "
        f"without quantization, not {config.type}"
    )


@contextmanager
def inferring(model: Any) -> Iterator[None]:
    """Inside, the model infers; after it, it trains on as if nothing had been: mode and chance."""
    was_training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        model.eval()
        try:
            yield
        finally:
            model.train(was_training)


class _LiveClassifier(SequenceClassifier):
    shareable = False

    def __init__(self, config: SequenceClassifierConfig, model: Any, tokenizer: Any) -> None:
        self._config = config
        self.batch_size = config.batch_size
        self.device = str(model.device)
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.bytes_on_disk = None
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._loaded = self._with_limits(model, tokenizer)

    def release(self) -> None:
        """Nothing: the model is the trainer's."""

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights in memory, the tokenizer, dtype, and truncation."""
        model, tokenizer, names, max_length = self._load()
        settings = [self.dtype, names, max_length, _tokenizer_digest(tokenizer)]
        return value_digest(["live sequence_classifier", 1, settings, _weights_digest(model)])

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return _size(self._load()[0])


class _LiveCausalLM(CausalLM):
    shareable = False

    def __init__(self, config: CausalLMConfig, model: Any, tokenizer: Any) -> None:
        self._config = config
        self.batch_size = config.batch_size
        self.device = str(model.device)
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.bytes_on_disk = None
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._memory = PeakMemory(self.device)
        self._content_free = {}
        self._loaded = LoadedModel.in_memory(model, tokenizer, config)

    def release(self) -> None:
        """Nothing: the model is the trainer's."""

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the weights in memory, the tokenizer, dtype and all settings."""
        settings = self._config.model_dump(
            mode="json",
            exclude={"name", "path", "tokenizer", "device", "dtype", "batch_size"},
        )
        parts = [self.dtype, settings, _tokenizer_digest(self._loaded.tokenizer)]
        return value_digest(["live causal_lm", 1, parts, _weights_digest(self._loaded.model)])

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return _size(self._loaded.model)

    @property
    def peak_memory_bytes(self) -> None:
        """Unknown: what training takes cannot be told from what answering takes."""


def _size(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _weights_digest(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def _tokenizer_digest(tokenizer: Any) -> str:
    """Of what makes tokens of a text; padding and truncation are set by each call."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    template = getattr(tokenizer, "chat_template", None)
    if backend is None:
        return value_digest([type(tokenizer).__name__, tokenizer.get_vocab(), template])
    settings = json.loads(backend.to_str())
    return value_digest([{**settings, "padding": None, "truncation": None}, template])
