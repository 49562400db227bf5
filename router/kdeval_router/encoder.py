"""Text to vector: static token vectors, weighted, summed and normalised.

The one path from text to numbers: routers are fitted through it and decide through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

__all__ = ["Embedded", "StaticEncoder", "quantise"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A text as the router sees it.

    Attributes:
        vector: unit length, float32; None where no token of the text is known.
        tokens: number of tokens, unknown ones included.
        coverage: length of the sum relative to that of the weighted token counts; for directions
            of unit length it lies in [0, 1] and is low where the words are rare or unknown.
    """

    vector: FloatArray | None
    tokens: int
    coverage: float


def quantise(vectors: NDArray[Any]) -> tuple[NDArray[np.int8], FloatArray]:
    """Rows as int8 and one float32 scale a row, so that `rows * scale` is about the input."""
    largest = np.abs(vectors).max(axis=1)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    rows = np.clip(np.rint(vectors / scales[:, None]), -127, 127).astype(np.int8)
    return rows, scales


class StaticEncoder:
    """Sum of weighted token vectors, normalised.

    Args:
        tokenizer: a `tokenizers` tokenizer.
        vectors: int8, (vocabulary, dimensions).
        scales: float32, (vocabulary,): `vectors * scales[:, None]` are the token vectors.
        weights: float32, (vocabulary,): the weight of each token; 0 leaves it out.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        vectors: NDArray[np.int8],
        scales: FloatArray,
        weights: FloatArray,
    ) -> None:
        self._tokenizer = tokenizer
        self._vectors = vectors
        self._scales = scales
        self._weights = weights

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> StaticEncoder:
        """The encoder of an artefact's tensors `encoder.*`."""
        text = tensors["encoder.tokenizer"].tobytes().decode("utf-8")
        return cls(
            Tokenizer.from_str(text),
            tensors["encoder.vectors"],
            tensors["encoder.scales"],
            tensors["encoder.weights"],
        )

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def embed(self, text: str) -> Embedded:
        """The text's vector; the same text gives the same bits, alone or among others."""
        ids = np.asarray(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
        if not len(ids):
            return Embedded(vector=None, tokens=0, coverage=0.0)
        kinds, counts = np.unique(ids, return_counts=True)
        weights = counts * self._weights[kinds]
        rows = self._vectors[kinds].astype(np.float32)
        total = np.einsum("i,ij->j", (weights * self._scales[kinds]).astype(np.float32), rows)
        length, mass = float(np.sqrt(total @ total)), float(np.sqrt(weights @ weights))
        if length <= 1e-12 or mass <= 0.0:
            return Embedded(vector=None, tokens=len(ids), coverage=0.0)
        vector = (total / np.float32(length)).astype(np.float32)
        return Embedded(vector=vector, tokens=len(ids), coverage=length / mass)
