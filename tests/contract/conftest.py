"""Small real models for the contract tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

LABELS = ("negative", "positive")
WORDS = ("good", "bad", "film", "plot", "the", "a", "of", "very", "not", "ok")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a two-layer BERT classifier of random weights and its tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=64, initializer_range=0.5,
        id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch computes in one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Architecture to a directory; "chat" and "bos" are Llamas with another tokenizer."""
    from tests.contract.causal_models import save_gpt2, save_llama, save_mamba, save_tokenizer

    found = {}
    saves = {"llama": save_llama, "gpt2": save_gpt2, "mamba": save_mamba}
    for name in (*saves, "chat", "bos"):
        found[name] = tmp_path_factory.mktemp(name)
        saves.get(name, save_llama)(found[name])
        save_tokenizer(found[name], chat=name == "chat", bos=name == "bos")
    return found


@pytest.fixture(params=["llama", "gpt2", "mamba"])
def checkpoint(request: pytest.FixtureRequest, checkpoints: dict[str, Path]) -> Path:
    """A model of each architecture."""
    return checkpoints[request.param]


@pytest.fixture(scope="session")
def chat_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny Llama of 256 positions; its tokenizer begins texts, and has a chat
    template.
    """
    from tests.contract.causal_models import save_llama, save_tokenizer

    folder = tmp_path_factory.mktemp("chat-llama")
    save_llama(folder)
    save_tokenizer(folder, bos=True, chat=True)
    return folder
