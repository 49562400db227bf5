"""A transformers encoder as an `Embedder` that ranks documents by cosine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import transformers

from kdeval.config.transformers_models import EmbedderConfig
from kdeval.errors import ModelError
from kdeval.models.hidden.adapter import OpenNetwork
from kdeval.models.hidden.network import Network, Reading, body_of, text_reading
from kdeval.models.loading import loading
from kdeval.models.model_directory import ModelDirectory
from kdeval.models.protocols import Request
from kdeval.models.ranking import CosineRanker, Vectors
from kdeval.models.torch_hardware import (
    HalvingBatches,
    choose_device,
    choose_dtype,
    release_memory,
)
from kdeval.records import Response
from kdeval.store.fingerprints import value_digest

__all__ = ["TransformersEmbedder"]

_SETTINGS = (".json", ".txt", ".model", ".jinja")


class TransformersEmbedder(OpenNetwork):
    """Token vectors of an encoder that `AutoModel` loads, pooled to one vector a text.

    The weights are read when the first request comes. Pooling is done in float32 whatever the
    dtype. Where memory does not suffice, the batch is halved and stays so.
    """

    def __init__(self, config: EmbedderConfig) -> None:
        self._config = config
        self._directory = ModelDirectory.checked(
            config.path, name=config.name, needs=["config.json"], settings=_SETTINGS
        )
        self.batch_size = config.batch_size
        self.device = choose_device(config.device, name=config.name)
        self.dtype = choose_dtype(config.dtype, self.device, self._directory.stored_dtype)
        self.bytes_on_disk = self._directory.bytes_on_disk
        self.parameters = self._directory.parameters
        self._batches = HalvingBatches(config.batch_size, self.device)
        self._ranker = CosineRanker(self)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and configuration files, dtype, pooling and prefixes."""
        config = self._config
        settings = [
            "embedder", 1, self.dtype, config.max_length, config.pooling, config.query_prefix,
            config.document_prefix, self._directory.digest,
        ]  # fmt: skip
        return value_digest(settings)

    def rank(self, requests: Sequence[Request]) -> list[Response]:
        """The nearest documents of each request's corpus."""
        if any(request.image is not None for request in requests):
            raise ModelError(f"{self._config.name}: an embedder reads text, no images")
        return self._ranker.rank(requests)

    def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        """A vector a text, shape (n, d)."""
        config = self._config
        prefix = config.query_prefix if role == "query" else config.document_prefix
        model, tokenizer, longest = self._loaded
        encoded = tokenizer([prefix + text for text in texts], truncation=True, max_length=longest)
        order = sorted(range(len(texts)), key=lambda index: len(encoded["input_ids"][index]))
        vectors = dict(
            self._batches.run(
                order, lambda chosen: self._forward(model, tokenizer, encoded, chosen)
            )
        )
        found: Vectors = np.stack([vectors[index] for index in range(len(texts))])
        return found

    @property
    def in_memory(self) -> bool:
        """Whether the weights have been read."""
        return "_loaded" in self.__dict__

    def release(self) -> None:
        """Forgets the weights; the next request reads them again."""
        self.__dict__.pop("_loaded", None)
        release_memory(self.device)

    def _network(self) -> Network:
        model, tokenizer, longest = self._loaded

        def read(request: Request) -> Reading:
            text = self._config.query_prefix + request.text
            fields = tokenizer(text, truncation=True, max_length=longest)
            return text_reading(fields, tokenizer.convert_ids_to_tokens(fields["input_ids"]))

        return Network(
            body=body_of(model), read=read, device=self.device, batches=self._batches,
            pad=tokenizer.pad_token_id or 0,
        )  # fmt: skip

    def _forward(
        self, model: Any, tokenizer: Any, encoded: Any, chosen: list[int]
    ) -> list[Vectors]:
        fields = {name: [encoded[name][index] for index in chosen] for name in encoded}
        batch = tokenizer.pad(fields, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            tokens = model(**batch).last_hidden_state.float()
            if self._config.pooling == "cls":
                pooled = tokens[:, 0]
            else:
                mask = batch["attention_mask"][:, :, None].float()
                pooled = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
        return list(pooled.cpu().numpy())

    @cached_property
    def _loaded(self) -> tuple[Any, Any, int]:
        transformers.utils.logging.disable_progress_bar()
        with loading(self._config.name, self._directory.path):
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._directory.path)
            model = transformers.AutoModel.from_pretrained(
                self._directory.path, dtype=getattr(torch, self.dtype)
            )
        model.to(self.device).eval()
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        positions = getattr(model.config, "max_position_embeddings", None) or 512
        longest = min(tokenizer.model_max_length, positions, self._config.max_length or positions)
        return model, tokenizer, int(longest)
