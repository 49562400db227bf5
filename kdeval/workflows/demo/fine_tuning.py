"""One training loop, for the teacher (hard labels) and its students (soft labels)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from kdeval.workflows.demo.batches import length_batches, padded
from kdeval.workflows.demo.inference import mixed_precision

__all__ = ["Loss", "Recipe", "distillation_loss", "fine_tune", "label_loss"]

Loss = Callable[[torch.Tensor, list[int]], torch.Tensor]
"""From the logits of a batch and the indices of its rows to a scalar."""

_WARM_UP = 0.1
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How long and how fast; the rate rises for a tenth of the steps, then falls to zero."""

    epochs: int
    batch_size: int
    learning_rate: float


def fine_tune(
    model: Any,
    rows: Sequence[torch.Tensor],
    loss: Loss,
    recipe: Recipe,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    """Trains the weights of `model` that require a gradient, by AdamW.

    Args:
        model: a BERT classifier, or a part of one.
        rows: token ids of each text, or states, as `model` takes them.
        loss: what to make small.
        recipe: epochs, batch size, learning rate.
        seed: of the order of the texts and of dropout; torch's global generator is left as it was.
        progress: called with (texts seen, texts to see).
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = [len(row) for row in rows]
    batches = [
        batch
        for _ in range(recipe.epochs)
        for batch in length_batches(lengths, recipe.batch_size, generator)
    ]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.01, fused=True)
    schedule = LambdaLR(optimizer, _rise_and_fall(len(batches)))
    done = 0
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in batches:
            with mixed_precision():
                logits = model(**padded([rows[index] for index in batch])).logits
            optimizer.zero_grad()
            loss(logits.float(), batch).backward()
            nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()
            done += len(batch)
            progress(done, recipe.epochs * len(rows))
    model.eval()


def label_loss(labels: torch.Tensor) -> Loss:
    """Cross-entropy with the class indices `labels`."""
    return lambda logits, batch: nn.functional.cross_entropy(logits, labels[batch])


def distillation_loss(teacher_logits: torch.Tensor, temperature: float) -> Loss:
    """KL(teacher || student) at a temperature, times its square (Hinton et al., 2015).

    The square keeps the size of the gradients independent of the temperature.
    """
    target = torch.log_softmax(teacher_logits / temperature, dim=-1)

    def loss(logits: torch.Tensor, batch: list[int]) -> torch.Tensor:
        divergence = nn.functional.kl_div(
            torch.log_softmax(logits / temperature, dim=-1),
            target[batch],
            log_target=True,
            reduction="batchmean",
        )
        return divergence * temperature**2

    return loss


def _rise_and_fall(steps: int) -> Callable[[int], float]:
    rising = max(1, round(_WARM_UP * steps))
    return lambda step: min((step + 1) / rising, (steps - step) / max(1, steps - rising))
