"""Asking a model without a run or a store: what lm-eval's own users do."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm import tqdm

from kdeval.models.protocols import Model, Request
from kdeval.records import Response
from kdeval.run.executor import LocalExecutor
from kdeval.run.requests import in_batches

__all__ = ["ask_with_bar"]

_PART = {"cpu": 64, "other": 512}
"""Requests that a model gets at once, at least."""


def ask_with_bar(model: Model, name: str, requests: Sequence[Request]) -> list[Response]:
    """Answers of the model itself; on a terminal a bar shows how far they are."""
    found: dict[int, Response] = {}
    with tqdm(total=len(requests), desc=name, disable=None) as bar:
        batches = in_batches(requests, _part(model))
        for batch, responses in LocalExecutor().answer(model, batches):
            pairs = zip(batch, responses, strict=True)
            found.update((id(request), response) for request, response in pairs)
            bar.update(len(batch))
    return [found[id(request)] for request in requests]


def _part(model: Model) -> int:
    """How many requests the model gets at once: many, as it batches them itself, or its own."""
    usual = int(getattr(model, "batch_size", 32))
    if getattr(model, "max_concurrency", 1) > 1:
        return usual
    return max(8 * usual, _PART["cpu" if getattr(model, "device", "cpu") == "cpu" else "other"])
