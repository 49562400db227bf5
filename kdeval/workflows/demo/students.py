"""The two-layer students: a cut of the teacher, distilled from its soft labels."""

from __future__ import annotations

import copy
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
from kdeval.workflows.demo.fine_tuning import Recipe, distillation_loss, fine_tune
from kdeval.workflows.demo.inference import class_logits, last_states

__all__ = ["distil_two_layers", "soft_labels"]

_RECIPE = Recipe(epochs=2, batch_size=32, learning_rate=4e-4)
_TEMPERATURE = 2.0


def soft_labels(
    teacher: Path, texts: Sequence[str], progress: Callable[[int, int], None]
) -> torch.Tensor:
    """The logits of the teacher in directory `teacher`, one row per text."""
    rows = tokenize(load_tokenizer(teacher), texts)
    return class_logits(load_classifier(teacher), rows, progress)


def distil_two_layers(
    teacher: Path,
    texts: Sequence[str],
    teacher_logits: torch.Tensor,
    out: Path,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    """Writes a student into `out`, an ordinary transformers directory.

    It has the teacher's first layer and the first of those that were fine-tuned. Only the second
    one learns, so that the states it takes are computed once.

    Args:
        teacher: the teacher's directory.
        texts: what to distil on; no label is looked at.
        teacher_logits: the teacher's, one row per text.
        out: a new or empty directory.
        seed: of the order of the texts and of dropout.
        progress: called with (texts seen, texts to see).
    """
    tokenizer = load_tokenizer(teacher)
    whole = load_classifier(teacher)
    student = copy.deepcopy(part_of(whole, (0, whole.config.num_hidden_layers // 2)))
    rows = tokenize(tokenizer, texts)
    total = len(rows) * (1 + _RECIPE.epochs)
    states = last_states(part_of(student, (0,)), rows, lambda done, _: progress(done, total))
    fine_tune(
        part_of(student, (1,), from_states=True),
        states,
        distillation_loss(teacher_logits, _TEMPERATURE),
        _RECIPE,
        seed=seed,
        progress=lambda done, _: progress(len(rows) + done, total),
    )
    save_classifier(student.eval(), tokenizer, out)
