"""What a BERT classifier says of many texts: logits, or the states of its last layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from kdeval.workflows.demo.batches import length_batches, padded

__all__ = ["class_logits", "last_states", "mixed_precision"]

_BATCH = 64
_NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16")


def mixed_precision() -> AbstractContextManager[Any]:
    """Matrix products in bfloat16 where the processor has them in hardware, else float32."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    native = any(capabilities.get(name, False) for name in _NATIVE_BFLOAT16)
    context: AbstractContextManager[Any] = torch.autocast(
        "cpu", dtype=torch.bfloat16, enabled=native
    )
    return context


def class_logits(
    model: Any, rows: Sequence[torch.Tensor], progress: Callable[[int, int], None]
) -> torch.Tensor:
    """Logits, one row per text and one column per class, in float32."""
    found = _run(model, rows, progress)
    return torch.stack([output.float() for output in found])


def last_states(
    model: Any, rows: Sequence[torch.Tensor], progress: Callable[[int, int], None]
) -> list[torch.Tensor]:
    """The last layer's states of each text, (tokens, width), in float32."""
    found = _run(model.bert, rows, progress)
    return [states[: len(row)].float().clone() for states, row in zip(found, rows, strict=True)]


def _run(
    model: Any, rows: Sequence[torch.Tensor], progress: Callable[[int, int], None]
) -> list[torch.Tensor]:
    """The first output of `model` for each row, in the order of `rows`."""
    model.eval()
    found: list[torch.Tensor] = [torch.empty(0)] * len(rows)
    done = 0
    for batch in length_batches([len(row) for row in rows], _BATCH):
        with torch.inference_mode(), mixed_precision():
            output = model(**padded([rows[index] for index in batch]))[0]
        for index, row in zip(batch, output, strict=True):
            found[index] = row
        done += len(batch)
        progress(done, len(rows))
    return found
