"""A bag-of-vectors classifier without torch: the worked example of a model of one's own.

In a run's YAML it is written

    - name: static
      type: kdeval.workflows.demo.static_student:StaticClassifier
      options: {path: models/static}

Any class will do that has a `fingerprint` and a method of `kdeval.models.protocols`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.store.fingerprints import files_digest, value_digest

__all__ = ["StaticClassifier"]

_FILES = ("config.json", "model.safetensors", "tokenizer.json")


class StaticClassifier:
    """Mean of the tokens' vectors, one hidden layer, softmax."""

    def __init__(self, path: str) -> None:
        """Reads `config.json` (labels), `model.safetensors` and `tokenizer.json`.

        Raises:
            ModelError: a file is missing, or does not fit the others.
        """
        folder = Path(path)
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise ModelError(f"{folder} has no {missing[0]}; a static classifier needs {_FILES}")
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            weights = load_file(folder / "model.safetensors")
            self._labels = tuple(config["labels"])
            self._vectors = weights["vectors"]
            self._hidden = (weights["hidden.weight"], weights["hidden.bias"])
            self._output = (weights["output.weight"], weights["output.bias"])
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder} cannot be loaded: {error!r}") from error
        except Exception as error:  # tokenizers raises nothing more specific
            raise ModelError(f"{folder}/tokenizer.json cannot be loaded: {error}") from error
        if len(self._labels) != len(self._output[1]):
            raise ModelError(
                f"{folder}: config.json names {len(self._labels)} labels, model.safetensors has "
                f"{len(self._output[1])} outputs"
            )
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._fingerprint = value_digest(
            ["static", 1, files_digest([folder / name for name in _FILES], folder)]
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the three files."""
        return self._fingerprint

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """One response each: the likeliest label and the log-probability of every label.

        Raises:
            ModelError: a request asks for a label that the model does not have.
        """
        encoded = self._tokenizer.encode_batch(
            [request.text for request in requests], add_special_tokens=False
        )
        return [
            self._answer(request, encoding.ids)
            for request, encoding in zip(requests, encoded, strict=True)
        ]

    def _answer(self, request: Request, ids: list[int]) -> Response:
        unknown = [label for label in request.labels if label not in self._labels]
        if unknown:
            raise ModelError(
                f"the static classifier has no label {unknown[0]!r}; it knows {self._labels}"
            )
        logits = self._logits(ids)[[self._labels.index(label) for label in request.labels]]
        log_probs = (logits - np.logaddexp.reduce(logits)).tolist()
        best = int(np.argmax(log_probs))
        return Response(
            output=request.labels[best],
            log_probs=dict(zip(request.labels, log_probs, strict=True)),
            confidence=min(1.0, math.exp(log_probs[best])),
            input_tokens=len(ids),
        )

    def _logits(self, ids: list[int]) -> NDArray[np.float64]:
        width = self._vectors.shape[1]
        mean = self._vectors[ids].mean(axis=0) if ids else np.zeros(width, np.float32)
        hidden = np.maximum(self._hidden[0] @ mean + self._hidden[1], 0.0)
        logits: NDArray[np.float64] = (self._output[0] @ hidden + self._output[1]).astype(float)
        return logits
