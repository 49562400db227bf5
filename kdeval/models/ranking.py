"""From an embedder to rankings: documents by the cosine of their vector and the query's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kdeval.models.protocols import Embedder, Request
from kdeval.records import Corpus, Response

__all__ = ["CosineRanker", "RankedEmbedder"]

Vectors = NDArray[np.float32]


class CosineRanker:
    """Ranks a corpus, whose vectors are computed once and kept.

    Documents of equal cosine keep the corpus's order.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._corpora: dict[str, Vectors] = {}

    def rank(self, requests: Sequence[Request]) -> list[Response]:
        """The ids of the nearest documents, as a JSON list, nearest first."""
        queries = _unit(self._embedder.embed([item.text for item in requests], role="query"))
        return [
            _nearest(request.corpus, query, self._documents)
            for request, query in zip(requests, queries, strict=True)
        ]

    def _documents(self, corpus: Corpus) -> Vectors:
        if corpus.sha256 not in self._corpora:
            vectors = self._embedder.embed(list(corpus.texts), role="document")
            self._corpora[corpus.sha256] = _unit(vectors)
        return self._corpora[corpus.sha256]


class RankedEmbedder:
    """A model of the user's that only embeds, as one that ranks."""

    def __init__(self, embedder: Embedder) -> None:
        self.wrapped = embedder
        self.fingerprint = embedder.fingerprint
        self.batch_size = int(getattr(embedder, "batch_size", 32))
        self._ranker = CosineRanker(embedder)

    def rank(self, requests: Sequence[Request]) -> list[Response]:
        """The nearest documents of each request's corpus."""
        return self._ranker.rank(requests)


def _nearest(
    corpus: Corpus | None, query: Vectors, documents: Callable[[Corpus], Vectors]
) -> Response:
    if corpus is None:
        return Response(error="a retrieval request without a corpus")
    cosines = documents(corpus) @ query
    if not np.isfinite(cosines).all():
        return Response(error="the model's vectors are not finite numbers")
    order = np.argsort(-cosines, kind="stable")[: corpus.depth]
    return Response(output=json.dumps([corpus.ids[place] for place in order], ensure_ascii=False))


def _unit(vectors: Sequence[Sequence[float]] | Vectors) -> Vectors:
    """Of length 1; a vector of zeros stays one."""
    array = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    unit: Vectors = (array / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return unit
