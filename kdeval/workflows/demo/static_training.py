"""The static student: word vectors from the teacher, reduced by PCA, under one hidden layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from kdeval.workflows.demo.bert_parts import load_classifier
from kdeval.workflows.demo.fine_tuning import distillation_loss
from kdeval.workflows.demo.ratings import LABELS

__all__ = ["distil_static", "principal_components"]

_WIDTH = 64
_EPOCHS = 4
_BATCH = 64
_LEARNING_RATE = 2e-3
_TEMPERATURE = 2.0


class _BagOfVectors(nn.Module):  # type: ignore[misc]
    def __init__(self, vectors: torch.Tensor, classes: int) -> None:
        super().__init__()
        width = vectors.shape[1]
        self.bag = nn.EmbeddingBag.from_pretrained(vectors, mode="mean", freeze=False)
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, classes)

    def forward(self, bags: Sequence[torch.Tensor]) -> torch.Tensor:
        lengths = torch.tensor([len(bag) for bag in bags])
        means = self.bag(torch.cat(list(bags)), lengths.cumsum(0) - lengths)
        logits: torch.Tensor = self.output(torch.relu(self.hidden(means)))
        return logits


def distil_static(
    teacher: Path,
    texts: Sequence[str],
    teacher_logits: torch.Tensor,
    out: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    """Writes into `out` what `StaticClassifier` reads.

    Args:
        teacher: the teacher's directory; its word embeddings and its tokenizer are used.
        texts: what to distil on.
        teacher_logits: the teacher's, one row per text.
        out: a new or empty directory.
        seed: of the head and of the order of the texts.
        progress: called with (texts seen, texts to see).
    """
    tokenizer = Tokenizer.from_file(str(teacher / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    bags = [torch.tensor(encoding.ids, dtype=torch.long) for encoding in encoded]
    table = load_classifier(teacher).bert.embeddings.word_embeddings.weight.detach()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _BagOfVectors(principal_components(table, _WIDTH), len(LABELS))
    _train(model, bags, teacher_logits, seed, progress)
    weights = {
        "vectors": model.bag.weight,
        "hidden.weight": model.hidden.weight,
        "hidden.bias": model.hidden.bias,
        "output.weight": model.output.weight,
        "output.bias": model.output.bias,
    }
    save_file({name: weight.detach() for name, weight in weights.items()},
              out / "model.safetensors")  # fmt: skip
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "config.json").write_text(json.dumps({"labels": LABELS}) + "\n", "utf-8")


def principal_components(table: torch.Tensor, width: int) -> torch.Tensor:
    """The rows of `table` on its first principal axes, scaled to a mean length of one."""
    centred = table - table.mean(dim=0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    found = centred @ axes[:, -width:].flip(1)
    return found / found.norm(dim=1).mean()


def _train(
    model: _BagOfVectors,
    bags: Sequence[torch.Tensor],
    teacher_logits: torch.Tensor,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    generator = torch.Generator().manual_seed(seed)
    loss = distillation_loss(teacher_logits, _TEMPERATURE)
    optimizer = torch.optim.Adam(model.parameters(), lr=_LEARNING_RATE, fused=True)
    steps = _EPOCHS * -(-len(bags) // _BATCH)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    done = 0
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(bags), generator=generator).split(_BATCH):
            batch = rows.tolist()
            optimizer.zero_grad()
            loss(model([bags[i] for i in batch]), batch).backward()
            optimizer.step()
            falling.step()
            done += len(batch)
            progress(done, _EPOCHS * len(bags))
