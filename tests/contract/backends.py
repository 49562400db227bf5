"""Every backend over tiny real models, and what is asked of each kind of request."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from pydantic import TypeAdapter

from kdeval.config.schema import ModelConfig
from kdeval.models.live import live_model
from kdeval.models.protocols import Model, Request
from kdeval.models.resolver import build_model
from kdeval.records import Corpus, Image, Kind, Message
from tests.api_server import Body, Reply, asked_text
from tests.contract.causal_models import save_gpt2, save_llama, save_tokenizer
from tests.contract.conftest import LABELS

CHOICES = ("good", "bad film", "é")
DOCUMENTS = {"d1": "good film", "d2": "bad plot", "d3": "the of a", "d4": "very ok"}
TEXTS = [
    "good", "the film of a plot", "not ok " * 4, "bad bad bad", "x", "very good film. Answer:",
    "a" * 30, "Question: is it ok or not?",
]  # fmt: skip
ODD: Mapping[str, str | tuple[Message, ...]] = {
    "chat": (
        Message(role="user", content="good film?"),
        Message(role="assistant", content="ok"),
        Message(role="user", content="not bad"),
    ),
    "empty": "",
    "long": "the good film " * 3000,
    "unicode": "Ünïcödé 日本語 🎬👩‍👩‍👧 \u202eabc",
    "nul": "a\x00b",
}

TEXT_MODEL = '''
import hashlib
from kdeval.records import Response


class Texts:
    """A user's own model: labels and texts by hash; "fail" in a text fails, with a secret."""

    def __init__(self, salt=""):
        self.salt = salt
        self.fingerprint = hashlib.sha256(f"texts {salt}".encode()).hexdigest()

    def classify(self, requests):
        return [self._answer(r, lambda h: r.labels[h[0] % len(r.labels)]) for r in requests]

    def generate(self, requests):
        return [self._answer(r, lambda h: h.hex()[:8]) for r in requests]

    def _answer(self, request, make):
        if "fail" in request.text:
            raise RuntimeError("refused: api_key=sk-abcdefghijklmnop1234")
        return Response(output=make(hashlib.sha256(request.text.encode()).digest()))
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How a backend is built, and what it claims to answer.

    Attributes:
        settings: its configuration over the folders of `save_models`; a "live" one is in memory.
        kinds: of requests.
        change: settings under which its answers may differ.
    """

    settings: Callable[[Path], dict[str, Any]]
    kinds: tuple[Kind, ...]
    change: Mapping[str, Any]


def _at(type_: str, name: str, **more: Any) -> Callable[[Path], dict[str, Any]]:
    return lambda root: {"type": type_, "path": str(root / name), "device": "cpu", **more}


_CAUSAL: tuple[Kind, ...] = (
    "classification", "multiple_choice", "generation", "extraction", "likelihood", "loglikelihood",
)  # fmt: skip
_WRITES = {"generation": {"max_new_tokens": 6}, "batch_size": 3}
_COLUMNS = {"id": "id", "probabilities": "p", "output": "o"}

BACKENDS: Mapping[str, Backend] = {
    "echo": Backend(
        settings=lambda root: {"type": "echo", "seed": 3}, kinds=(*_CAUSAL, "retrieval"),
        change={"seed": 4},
    ),
    "recorded": Backend(
        settings=lambda root: {"type": "recorded", "path": str(root / "log.jsonl"),
                               "columns": _COLUMNS},
        kinds=("classification", "generation"),
        change={"columns": {**_COLUMNS, "probabilities": "q"}},
    ),
    "sequence_classifier": Backend(
        settings=_at("sequence_classifier", "bert"), kinds=("classification",),
        change={"max_length": 8},
    ),
    "image_classifier": Backend(
        settings=_at("image_classifier", "vit"), kinds=("classification",),
        change={"dtype": "bfloat16"},
    ),
    "embedder": Backend(
        settings=_at("embedder", "bert"), kinds=("retrieval",), change={"query_prefix": "good "},
    ),
    "llama": Backend(
        settings=_at("causal_lm", "llama", **_WRITES), kinds=_CAUSAL, change={"max_length": 99},
    ),
    "gpt2": Backend(
        settings=_at("causal_lm", "gpt2", **_WRITES), kinds=_CAUSAL,
        change={"generation": {"max_new_tokens": 7}},
    ),
    "live": Backend(settings=_at("causal_lm", "llama", **_WRITES), kinds=_CAUSAL,
                    change={"max_length": 99}),
    "ensemble": Backend(
        settings=lambda root: {
            "type": "ensemble",
            "members": [{"name": "a", "type": "echo"},
                        {"name": "b", **_at("causal_lm", "llama", **_WRITES)(root)}],
        },
        kinds=("classification", "multiple_choice"), change={"combine": "majority"},
    ),
    "module": Backend(
        settings=lambda root: {"type": "own_texts:Texts"}, kinds=("classification", "generation"),
        change={"options": {"salt": "other"}},
    ),
    "api": Backend(
        settings=lambda root: {
            "type": "api", "model": "openai/gpt-4.1-2025-04-14",
            "api_base": (root / "api_base").read_text(), "api_key_env": "TEST_API_KEY",
            "timeout_s": 5, "retries": {"attempts": 2, "total_s": 5},
        },
        kinds=("classification", "generation"), change={"model": "openai/gpt-4.1-mini-2025-04-14"},
    ),
}  # fmt: skip


def build(root: Path, name: str, **changes: Any) -> Model:
    """That backend; the weights of a model in memory are read anew."""
    settings = {"name": "m", **BACKENDS[name].settings(root), **changes}
    config = TypeAdapter[Any](ModelConfig).validate_python(settings)
    if name != "live":
        return build_model(config, search=[root])
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(config.path, dtype=torch.float32)
    return live_model(config, model, AutoTokenizer.from_pretrained(config.path))


def save_models(root: Path, bert: Path) -> None:
    """The folders and files that the backends name."""
    (root / "bert").symlink_to(bert)
    for name, save in (("llama", save_llama), ("gpt2", save_gpt2)):
        save(root / name)
        save_tokenizer(root / name, chat=name == "llama")
    _save_vit(root / "vit")
    (root / "own_texts.py").write_text(TEXT_MODEL)
    rows = [
        {"id": sample, "p": {"negative": 0.25, "positive": 0.75},
         "q": {"negative": 0.5, "positive": 0.5}, "o": "positive"}
        for sample in (*(f"s{index}" for index in range(len(TEXTS))), *ODD)
    ]  # fmt: skip
    (root / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def api_answer(body: Body) -> Reply:
    """A label where labels are asked for, else the number of words."""
    text = asked_text(body)
    if "labels" not in text:
        return Reply(content=f"{len(text.split())} words")
    top = {"positive": math.log(0.8), "negative": math.log(0.2)}
    return Reply(content="positive", logprobs=[("positive", math.log(0.8), top)])


def request(kind: Kind, sample: str, asked: str | tuple[Message, ...], backend: str) -> Request:
    """A request of that kind about a text; about an image of its own for an image classifier."""
    more: dict[str, Any] = {}
    if kind == "classification":
        more = {"labels": LABELS}
    elif kind in ("multiple_choice", "loglikelihood"):
        more = {"choices": CHOICES}
    elif kind == "likelihood":
        more = {"choices": ("a good film",)}
    elif kind == "retrieval":
        ids, texts = tuple(DOCUMENTS), tuple(DOCUMENTS.values())
        more = {"corpus": Corpus(sha256="x", ids=ids, texts=texts, depth=3)}
    if backend == "image_classifier":
        more["image"] = Image(sha256=sample, data=_png(sum(map(ord, sample))))
    return Request(sample_id=sample, suite="x", kind=kind, input=asked, **more)


def requests(kind: Kind, backend: str) -> list[Request]:
    """Ordinary requests of that kind."""
    return [request(kind, f"s{index}", text, backend) for index, text in enumerate(TEXTS)]


def _save_vit(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        image_size=8, patch_size=4, initializer_range=0.5,
        id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(folder)


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
