"""A transformers sequence classifier as a `Classifier`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import transformers

from kdeval.config.schema import SequenceClassifierConfig
from kdeval.errors import ModelError
from kdeval.models.hidden.adapter import OpenNetwork
from kdeval.models.hidden.network import Network, Reading, body_of, text_reading
from kdeval.models.label_logits import columns_of, label_names, label_response
from kdeval.models.loading import loading
from kdeval.models.model_directory import ModelDirectory
from kdeval.models.protocols import Request
from kdeval.models.torch_hardware import (
    HalvingBatches,
    choose_device,
    choose_dtype,
    release_memory,
)
from kdeval.records import Response
from kdeval.store.fingerprints import value_digest

__all__ = ["SequenceClassifier"]

_SETTINGS = (".json", ".txt", ".model", ".jinja")


class SequenceClassifier(OpenNetwork):
    """Softmax probabilities of a classifier that `AutoModelForSequenceClassification` loads.

    The weights are read when the first request comes, so that a run whose answers are all in the
    store never loads them. Softmax is taken in float32 whatever the dtype. Where memory does not
    suffice, the batch is halved and stays so.
    """

    def __init__(self, config: SequenceClassifierConfig) -> None:
        self._config = config
        self._directory = ModelDirectory.checked(
            config.path, name=config.name, needs=["config.json"], settings=_SETTINGS
        )
        self.batch_size = config.batch_size
        self.device = choose_device(config.device, name=config.name)
        self.dtype = choose_dtype(config.dtype, self.device, self._directory.stored_dtype)
        self.bytes_on_disk: int | None = self._directory.bytes_on_disk
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._loaded: tuple[Any, Any, list[str], int] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and configuration files, dtype, and truncation."""
        settings = [
            "sequence_classifier", 1, self.dtype, self._config.max_length, self._config.labels,
            self._directory.digest,
        ]  # fmt: skip
        return value_digest(settings)

    @property
    def parameters(self) -> int | None:
        """Number of weights by the files' headers; without such, once the model is loaded."""
        found = self._directory.parameters
        if found is None and self._loaded is not None:
            found = sum(weight.numel() for weight in self._loaded[0].parameters())
        return found

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """One response each: the likeliest label and the log-probability of every label.

        Labels of the model that the suite does not have are left out and the rest renormalised.
        """
        if any(request.image is not None for request in requests):
            raise ModelError(f"{self._config.name}: a sequence_classifier reads text, no images")
        model, tokenizer, names, max_length = self._load()
        columns = [columns_of(self._config.name, request.labels, names) for request in requests]
        encoded = tokenizer(
            [request.text for request in requests], truncation=True, max_length=max_length
        )
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(requests)), key=lambda index: lengths[index])
        logits = dict(
            self._batches.run(
                order, lambda chosen: self._forward(model, tokenizer, encoded, chosen)
            )
        )
        return [
            label_response(request, logits[index], columns[index], lengths[index])
            for index, request in enumerate(requests)
        ]

    @property
    def in_memory(self) -> bool:
        """Whether the weights have been read."""
        return self._loaded is not None

    def release(self) -> None:
        """Forgets the weights; the next request reads them again."""
        self._loaded = None
        release_memory(self.device)

    def _network(self) -> Network:
        model, tokenizer, _, max_length = self._load()

        def read(request: Request) -> Reading:
            fields = tokenizer(request.text, truncation=True, max_length=max_length)
            return text_reading(fields, tokenizer.convert_ids_to_tokens(fields["input_ids"]))

        return Network(
            body=body_of(model), read=read, device=self.device, batches=self._batches,
            pad=tokenizer.pad_token_id or 0,
        )  # fmt: skip

    def _forward(
        self, model: Any, tokenizer: Any, encoded: Any, chosen: list[int]
    ) -> list[torch.Tensor]:
        """Logits in float32 on the CPU."""
        fields = {name: [encoded[name][index] for index in chosen] for name in encoded}
        batch = tokenizer.pad(fields, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            return list(model(**batch).logits.float().cpu())

    def _load(self) -> tuple[Any, Any, list[str], int]:
        if self._loaded is not None:
            return self._loaded
        transformers.utils.logging.disable_progress_bar()
        with loading(self._config.name, self._directory.path):
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._directory.path)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                self._directory.path, dtype=getattr(torch, self.dtype)
            )
        model.to(self.device).eval()
        self._loaded = self._with_limits(model, tokenizer)
        return self._loaded

    def _with_limits(self, model: Any, tokenizer: Any) -> tuple[Any, Any, list[str], int]:
        """Both, the suite's name of each column of the logits, and the most tokens of an input."""
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
            model.config.pad_token_id = tokenizer.pad_token_id
        names = label_names(model.config.id2label, self._config.labels)
        positions = getattr(model.config, "max_position_embeddings", None) or 512
        limit = min(tokenizer.model_max_length, positions, self._config.max_length or positions)
        return model, tokenizer, names, int(limit)
