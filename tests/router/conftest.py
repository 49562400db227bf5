"""A small router made by hand, so that every threshold in it is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kdeval_router.artefact import WEIGHTS_FILE, RouterArtefact
from kdeval_router.encoder import quantise
from kdeval_router.schema import RouterConfig
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

WEATHER = ["sun", "rain", "wind", "snow", "storm", "cloud"]
LAW = ["court", "judge", "appeal", "verdict"]
ZERO = "0" * 64


def tensors(conform_n: int = 40) -> dict[str, np.ndarray[Any, Any]]:
    """Weather words near axis 0, law words near axis 1; "storm" is hard for the student."""
    words = ["[UNK]", *WEATHER, *LAW]
    tokenizer = Tokenizer(
        WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = Whitespace()
    rng = np.random.default_rng(0)
    vectors = 0.1 * rng.normal(size=(len(words), 4))
    vectors[1 : 1 + len(WEATHER), 0] += 1.0
    vectors[1 + len(WEATHER) :, 1] += 1.0
    vectors[0] = 0.0
    vectors[words.index("storm"), 2] = 1.0
    rows, scales = quantise(vectors.astype(np.float32))
    unit = vectors[1:] / np.linalg.norm(vectors[1:], axis=1, keepdims=True)
    references, reference_scales = quantise(unit.astype(np.float32))
    heads = np.zeros((2, 4 + 2 + 2))
    heads[1, 2] = -6.0
    return {
        "encoder.tokenizer": np.frombuffer(tokenizer.to_str().encode(), dtype=np.uint8),
        "encoder.vectors": rows,
        "encoder.scales": scales,
        "encoder.weights": np.ones(len(words), dtype=np.float32),
        "tasks.coefficients": np.eye(4, dtype=np.float32)[:2],
        "tasks.intercepts": np.zeros(2, dtype=np.float32),
        "references.vectors": references,
        "references.scales": reference_scales,
        "references.task": np.array([0] * len(WEATHER) + [1] * len(LAW), dtype=np.int32),
        "conform.scores": np.tile(np.linspace(0.3, 0.9, conform_n, dtype=np.float32), 2),
        "conform.task": np.repeat(np.array([0, 1], dtype=np.int32), conform_n),
        "heads.coefficients": heads,
        "heads.intercepts": np.array([3.0, 3.0]),
        "splits.seen": np.array([1, 2, 3], dtype=np.int64),
    }


def config(**changes: Any) -> RouterConfig:
    """A valid configuration of those tensors; `changes` replace top-level keys."""
    content: dict[str, Any] = {
        "created": {
            "at": "2026-01-01T00:00:00Z",
            "kdeval": "0.1.0",
            "git_revision": None,
            "versions": {},
            "run": "hand-made",
        },
        "teacher": "big",
        "students": {"small": {"fingerprint": "small-1"}},
        "tasks": {
            "weather": {
                "target": "small",
                "reason": None,
                "n": 6,
                "conform_n": 40,
                "max_tokens": 50,
                "evidence": {},
            },
            "law": {
                "target": "big",
                "reason": "small: too weak",
                "n": 4,
                "conform_n": 40,
                "max_tokens": 50,
                "evidence": {},
            },
        },
        "thresholds": {"alpha_in_distribution": 0.05, "ranked_by": "flip_risk", "maximum": 0.1},
        "guarantee": {
            "certified": True,
            "risk": "negative flips",
            "level": 0.02,
            "confidence": 0.9,
            "method": "by hand",
            "sampling_unit": "distinct prompt",
            "assumption": "none",
            "n": 200,
            "dropped": 0,
            "seed": 0,
            "flips": 0,
            "bound": 0.0115,
            "share": 0.5,
            "n_min": 114,
            "missing": None,
            "note": None,
        },
        "fallback": "big",
        "encoder": {
            "kind": "svd",
            "source": "by hand",
            "dimensions": 4,
            "vocabulary": 11,
            "references": 10,
            "scored_by_coverage": True,
        },
        "max_characters": 2000,
        "costs": {"teacher_usd": None, "students_usd": {"small": None}, "basis": "unknown"},
        "lineage": {
            "teacher": "big-1",
            "students": {"small": "small-1"},
            "encoder": ZERO,
            "suites": {},
            "data": ZERO,
            "metrics": {},
        },
        "splits": {
            "seed": 0,
            "unit": "distinct prompt",
            "fractions": {},
            "samples": {},
            "units": {},
        },
        "weights": {"file": WEIGHTS_FILE, "sha256": ZERO},
        "config_hash": ZERO,
    }
    return RouterConfig.model_validate(content | changes)


@pytest.fixture
def make_router(tmp_path: Path) -> Callable[..., Path]:
    """Writes the router with changes to its configuration and returns its directory."""

    def make(**changes: Any) -> Path:
        RouterArtefact(config=config(**changes), tensors=tensors()).save(tmp_path / "router")
        return tmp_path / "router"

    return make


@pytest.fixture
def router_dir(make_router: Callable[..., Path]) -> Path:
    """The router as it stands."""
    return make_router()
