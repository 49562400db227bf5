"""The teacher: a sentence encoder whose upper half is fine-tuned on labels of all domains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from kdeval.workflows.demo.batches import tokenize
from kdeval.workflows.demo.bert_parts import (
    load_classifier,
    load_tokenizer,
    part_of,
    save_classifier,
)
from kdeval.workflows.demo.fine_tuning import Recipe, fine_tune, label_loss
from kdeval.workflows.demo.inference import last_states
from kdeval.workflows.demo.ratings import LABELS, RatedText

__all__ = ["train_teacher"]

_RECIPE = Recipe(epochs=1, batch_size=16, learning_rate=1.5e-4)


def train_teacher(
    encoder: Path,
    texts: Sequence[RatedText],
    out: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    """Writes the teacher into `out`, an ordinary transformers directory.

    The embeddings and the lower half of the layers stay as they are, so that their states are
    computed once.

    Args:
        encoder: directory of a BERT encoder with its tokenizer.
        texts: with labels.
        out: a new or empty directory.
        seed: of the new head, the order of the texts and dropout.
        progress: called with (texts seen, texts to see).
    """
    tokenizer = load_tokenizer(encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = load_classifier(encoder)
    layers = range(model.config.num_hidden_layers)
    half = len(layers) // 2
    rows = tokenize(tokenizer, [text.text for text in texts])
    total = len(rows) * (1 + _RECIPE.epochs)
    states = last_states(part_of(model, layers[:half]), rows, lambda done, _: progress(done, total))
    fine_tune(
        part_of(model, layers[half:], from_states=True),
        states,
        label_loss(torch.tensor([LABELS.index(str(text.label)) for text in texts])),
        _RECIPE,
        seed=seed,
        progress=lambda done, _: progress(len(rows) + done, total),
    )
    save_classifier(model.eval(), tokenizer, out)
