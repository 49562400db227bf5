"""The router's encoder: token vectors fitted on the run's own prompts, or read from a directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from kdeval_router.encoder import StaticEncoder, quantise
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix, diags
from sklearn.decomposition import TruncatedSVD
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Metaspace
from tokenizers.pre_tokenizers import Sequence as InOrder
from tokenizers.trainers import BpeTrainer

from kdeval.errors import RoutingError

__all__ = ["FittedEncoder", "fit_svd_encoder", "read_static_encoder"]

DIMENSIONS = 256
_VOCABULARY = 8_000
_MAX_PROMPTS = 20_000
_UNKNOWN = "[UNK]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEncoder:
    """An encoder as an artefact's tensors `encoder.*`.

    Attributes:
        source: what it was made of, in words.
        covers: its coverage says how much of a request it knows (see `Familiarity`).
    """

    kind: Literal["svd", "static"]
    source: str
    tensors: dict[str, NDArray[Any]]
    covers: bool

    @property
    def encoder(self) -> StaticEncoder:
        """The runtime's encoder."""
        return StaticEncoder.from_tensors(self.tensors)


def fit_svd_encoder(texts: Sequence[str], seed: int) -> FittedEncoder:
    """Byte-pair pieces trained on `texts`, and the right singular vectors of their tf-idf matrix.

    A text's vector is its projection on the main directions of the prompts; what of its words
    lies outside of them (rare and unknown ones) lowers its coverage.

    Raises:
        RoutingError: fewer than ten different texts.
    """
    texts = sorted(set(texts))
    if len(texts) < 10:
        raise RoutingError(
            f"{len(texts)} different prompts in the fit split are too few for an encoder (at "
            "least 10): give more samples"
        )
    if len(texts) > _MAX_PROMPTS:
        rows = np.random.default_rng(seed).choice(len(texts), _MAX_PROMPTS, replace=False)
        texts = [texts[row] for row in np.sort(rows)]
    tokenizer = _train_tokenizer(texts)
    counts = _token_counts(tokenizer, texts)
    document_frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    weights = np.log((1 + len(texts)) / (1 + document_frequency)) + 1.0
    weighted = counts @ diags(weights)
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    rows = diags(1.0 / np.maximum(lengths, 1e-12)) @ weighted
    dimensions = min(DIMENSIONS, min(rows.shape) - 1)
    directions = TruncatedSVD(dimensions, n_iter=4, random_state=seed).fit(rows).components_
    return FittedEncoder(
        kind="svd",
        source=f"idf x SVD on byte-pair pieces of {len(texts)} prompts of the fit split",
        tensors=_tensors(tokenizer.to_str(), directions.T, weights),
        covers=True,
    )


def read_static_encoder(directory: Path) -> FittedEncoder:
    """Static token vectors of a model2vec directory: tokenizer.json and model.safetensors.

    Raises:
        RoutingError: a file is missing or broken, or sizes do not fit each other.
    """
    try:
        text = (directory / "tokenizer.json").read_text(encoding="utf-8")
        stored = load_file(directory / "model.safetensors")
        tokenizer = Tokenizer.from_str(text)
    except FileNotFoundError as error:
        raise RoutingError(
            f"{error.filename or directory} is missing: an encoder directory holds tokenizer.json "
            "and model.safetensors, as model2vec saves them"
        ) from None
    except (OSError, SafetensorError, ValueError) as error:
        raise RoutingError(f"{directory} is no encoder directory: {error}") from error
    except Exception as error:  # tokenizers raises a bare Exception on a broken file
        raise RoutingError(f"{directory / 'tokenizer.json'} is broken: {error}") from error
    vectors, weights = _static_vectors(directory, stored, tokenizer.get_vocab_size())
    unknown = _unknown_token(json.loads(text))
    if unknown is not None and tokenizer.token_to_id(unknown) is not None:
        weights[tokenizer.token_to_id(unknown)] = 0.0
    return FittedEncoder(
        kind="static",
        source=f"static token vectors of {directory.name}",
        tensors=_tensors(tokenizer.to_str(), vectors, weights),
        covers=False,
    )


def _train_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """Byte-pair pieces with a mark at the start of a word.

    The trainers of WordPiece and of suffix-marked pieces number equal counts differently each
    time; this one does not, so that the same run and seed give the same router.
    """
    tokenizer = Tokenizer(BPE(unk_token=_UNKNOWN))
    tokenizer.normalizer = BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = InOrder([BertPreTokenizer(), Metaspace(prepend_scheme="always")])
    trainer = BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=2,
        limit_alphabet=1_000,
        special_tokens=[_UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _token_counts(tokenizer: Tokenizer, texts: Sequence[str]) -> csr_matrix:
    ids = [
        encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ]
    ends = np.cumsum([0] + [len(row) for row in ids])
    columns = np.concatenate([np.asarray(row, dtype=np.int64) for row in ids])
    counts = csr_matrix(
        (np.ones(len(columns)), columns, ends), shape=(len(ids), tokenizer.get_vocab_size())
    )
    counts.sum_duplicates()
    return counts


def _static_vectors(
    directory: Path, stored: dict[str, NDArray[Any]], vocabulary: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    vectors = stored.get("embeddings")
    if vectors is None or vectors.ndim != 2:
        raise RoutingError(
            f"{directory / 'model.safetensors'} has no two-dimensional tensor 'embeddings'"
        )
    mapping = stored.get("mapping")
    if mapping is not None:
        vectors = vectors[mapping]
    weights = stored.get("weights", np.ones(len(vectors))).astype(np.float64)
    if not len(vectors) == len(weights) == vocabulary:
        raise RoutingError(
            f"{directory}: tokenizer.json has {vocabulary} tokens, but model.safetensors has "
            f"{len(vectors)} vectors and {len(weights)} weights"
        )
    return vectors.astype(np.float32), weights


def _unknown_token(tokenizer: dict[str, Any]) -> str | None:
    model = tokenizer.get("model") or {}
    unknown = model.get("unk_token")
    if unknown is None and isinstance(model.get("unk_id"), int) and model.get("vocab"):
        unknown = model["vocab"][model["unk_id"]][0]
    return unknown if isinstance(unknown, str) else None


def _tensors(tokenizer: str, vectors: NDArray[Any], weights: NDArray[Any]) -> dict[str, Any]:
    rows, scales = quantise(vectors)
    return {
        "encoder.tokenizer": np.frombuffer(tokenizer.encode("utf-8"), dtype=np.uint8),
        "encoder.vectors": rows,
        "encoder.scales": scales,
        "encoder.weights": weights.astype(np.float32),
    }
