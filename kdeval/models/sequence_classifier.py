"""A transformers sequence classifier as a `Classifier`."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from kdeval.config.schema import SequenceClassifierConfig
from kdeval.config.yaml_file import nearest
from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.store.fingerprints import files_digest, value_digest

__all__ = ["SequenceClassifier"]

_WEIGHTS = (".safetensors", ".bin", ".h5", ".gguf")
_CONTENT = (*_WEIGHTS, ".json", ".txt", ".model", ".jinja")


class SequenceClassifier:
    """Softmax probabilities of a classifier that `AutoModelForSequenceClassification` loads.

    The weights are read when the first request comes, so that a run whose answers are all in the
    store never loads them. Softmax is taken in float32 whatever the dtype. Where memory does not
    suffice, the batch is halved and stays so.
    """

    def __init__(self, config: SequenceClassifierConfig) -> None:
        self._config = config
        self._path = Path(config.path)
        if not (self._path / "config.json").is_file():
            raise ModelError(
                f"{config.name}: {self._path} has no config.json: give a directory that "
                "save_pretrained() wrote"
            )
        self.batch_size = config.batch_size
        self.device = _device(config)
        self.dtype = _dtype(config.dtype, self.device, self._path)
        self.bytes_on_disk = sum(
            file.stat().st_size for file in self._files() if file.suffix in _WEIGHTS
        )
        self._limit = config.batch_size
        self._loaded: tuple[Any, Any, list[str], int] | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and configuration files, dtype, and truncation."""
        settings = [
            "sequence_classifier", 1, self.dtype, self._config.max_length, self._config.labels,
            files_digest(self._files(), self._path),
        ]  # fmt: skip
        return value_digest(settings)

    @property
    def parameters(self) -> int | None:
        """Number of weights, once the model is loaded."""
        if self._loaded is None:
            return None
        return int(sum(weight.numel() for weight in self._loaded[0].parameters()))

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """One response each: the likeliest label and the log-probability of every label.

        Labels of the model that the suite does not have are left out and the rest renormalised.
        """
        model, tokenizer, names, max_length = self._load()
        columns = [_columns(self._config.name, request.labels, names) for request in requests]
        encoded = tokenizer(
            [request.text for request in requests], truncation=True, max_length=max_length
        )
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(requests)), key=lambda index: lengths[index])
        logits: list[torch.Tensor | None] = [None] * len(requests)
        start = 0
        while start < len(order):
            chosen = order[start : start + self._limit]
            rows = self._forward(model, tokenizer, encoded, chosen)
            if rows is None:
                continue
            for index, row in zip(chosen, rows, strict=True):
                logits[index] = row
            start += len(chosen)
        return [
            _response(request, row, picked, length)
            for request, row, picked, length in zip(requests, logits, columns, lengths, strict=True)
            if row is not None
        ]

    def _forward(
        self, model: Any, tokenizer: Any, encoded: Any, chosen: list[int]
    ) -> torch.Tensor | None:
        """Logits in float32 on the CPU, or None after halving the batch for want of memory."""
        fields = {name: [encoded[name][index] for index in chosen] for name in encoded}
        try:
            batch = tokenizer.pad(fields, return_tensors="pt").to(self.device)
            with torch.inference_mode():
                logits: torch.Tensor = model(**batch).logits.float().cpu()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _out_of_memory(error) or len(chosen) == 1:
                raise
            self._limit = max(1, len(chosen) // 2)
            gc.collect()
            if self.device.startswith("cuda"):
                torch.cuda.empty_cache()
            return None
        return logits

    def _files(self) -> list[Path]:
        return [file for file in self._path.iterdir() if file.suffix in _CONTENT]

    def _load(self) -> tuple[Any, Any, list[str], int]:
        if self._loaded is not None:
            return self._loaded
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._path)
            model = transformers.AutoModelForSequenceClassification.from_pretrained(
                self._path, dtype=getattr(torch, self.dtype)
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            first = str(error).strip().splitlines()[0]
            raise ModelError(
                f"{self._config.name}: {self._path} cannot be loaded: {first}"
            ) from error
        model.to(self.device).eval()
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
            model.config.pad_token_id = tokenizer.pad_token_id
        id2label = model.config.id2label
        names = [id2label[index] for index in range(len(id2label))]
        names = [self._config.labels.get(name, name) for name in names]
        positions = getattr(model.config, "max_position_embeddings", None) or 512
        limit = min(tokenizer.model_max_length, positions, self._config.max_length or positions)
        self._loaded = (model, tokenizer, names, int(limit))
        return self._loaded


def _columns(name: str, labels: tuple[str, ...], names: list[str]) -> list[int]:
    missing = [label for label in labels if label not in names]
    if missing:
        raise ModelError(
            f"{name}: the model has no label {missing[0]!r}, which the suite asks for; "
            f"{nearest(missing[0], names)} Map them with `labels: {{model label: suite label}}`"
        )
    return [names.index(label) for label in labels]


def _response(request: Request, logits: torch.Tensor, columns: list[int], length: int) -> Response:
    log_probs = torch.log_softmax(logits[columns].double(), dim=-1).tolist()
    best = max(range(len(columns)), key=log_probs.__getitem__)
    if any(math.isnan(value) for value in log_probs):
        return Response(error="the model's logits are not numbers (NaN)", input_tokens=length)
    return Response(
        output=request.labels[best],
        log_probs=dict(zip(request.labels, log_probs, strict=True)),
        confidence=min(1.0, math.exp(log_probs[best])),
        input_tokens=length,
    )


def _device(config: SequenceClassifierConfig) -> str:
    if config.device != "auto":
        kind = config.device.partition(":")[0]
        if kind == "cuda" and not torch.cuda.is_available():
            raise ModelError(
                f"{config.name}: device {config.device!r} was asked for, but torch sees no CUDA "
                "device; use device: auto"
            )
        return config.device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(wanted: str, device: str, path: Path) -> str:
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "float32"
    stored = transformers.AutoConfig.from_pretrained(path).dtype
    return "float32" if stored is None else str(stored).removeprefix("torch.")


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()
