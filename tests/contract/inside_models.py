"""Small language models that are made of one another, whose layers therefore compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from tests.contract.causal_models import save_tokenizer

LAYERS = 6
SAMPLES = 32
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "good",
         "bad", "film", "Paris", "Rome", "France", "Italy", "is", "the", "capital", "of", "answer",
         "question", "positive", "negative", "neutral", "or"]  # fmt: skip


def save_layered(
    folder: Path, *, layers: int = LAYERS, hidden: int = 32, seed: int = 0,
    dropped: tuple[int, ...] = (), noise: float = 0.0,
) -> Path:  # fmt: skip
    """A Llama whose layers each change the states a little, as trained ones do.

    Args:
        folder: made if it is missing.
        layers: of the whole model.
        hidden: width.
        seed: of the weights.
        dropped: layers, counted from 0, that the saved model lacks.
        noise: added to every weight, in its tensor's standard deviations.
    """
    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=512, hidden_size=hidden, intermediate_size=48, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
        initializer_range=0.2, bos_token_id=1, eos_token_id=0,
    ))  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            if noise and parameter.ndim > 1:
                parameter.add_(noise * parameter.std() * torch.randn_like(parameter))
    kept = [layer for index, layer in enumerate(model.model.layers) if index not in dropped]
    for index, layer in enumerate(kept):
        layer.self_attn.layer_idx = index
    model.model.layers = torch.nn.ModuleList(kept)
    model.config.num_hidden_layers = len(kept)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[: len(kept)]
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def texts(count: int) -> list[str]:
    """Sentences of three to twelve words."""
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(3, 13, (count,), generator=generator).tolist()
    return [
        " ".join(WORDS[i] for i in torch.randint(len(WORDS), (n,), generator=generator).tolist())
        for n in lengths
    ]


def write_choices(
    folder: Path, students: list[str], *, samples: int = SAMPLES, **settings: Any
) -> Path:
    """A configuration that asks for one of two choices, with the models in `folder`."""
    rows = [{"t": text, "o": ["good", "bad"], "r": 0} for text in texts(samples)]
    (folder / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = {"name": "choices", "data": "choices.jsonl", "kind": "multiple_choice", "input": "t",
             "choices": "o", "reference": {"column": "r"}}  # fmt: skip
    (folder / "choices.yaml").write_text(yaml.safe_dump(suite))
    models = [
        {"name": name, "type": "causal_lm", "path": name, "device": "cpu"}
        for name in ("teacher", *students)
    ]
    config = {"suites": ["choices.yaml"], "teacher": models[0], "students": models[1:],
              "latency_probe": False, "hidden_states": True, **settings}  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder / "run.yaml"
