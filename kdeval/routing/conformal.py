"""The in-distribution test: references of the fit split, scores of the conform split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from kdeval_router.encoder import StaticEncoder, quantise
from kdeval_router.familiarity import Familiarity
from numpy.typing import NDArray

__all__ = ["MAX_REFERENCES", "choose_references", "conform_tensors", "min_conform"]

MAX_REFERENCES = 2_000


def min_conform(alpha: float) -> int:
    """Held-out requests that a task needs before its test can turn anything away."""
    return math.ceil(1.0 / alpha - 1e-9) - 1


def choose_references(
    vectors: NDArray[Any],
    known: NDArray[np.bool_],
    codes: NDArray[Any],
    tasks: int,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    """The tensors `references.*`: at most MAX_REFERENCES rows, shared out among the tasks.

    Args:
        vectors: (n, dimensions), unit rows.
        known: (n,): rows that have a vector.
        codes: (n,): each row's task.
        tasks: number of tasks.
        rng: draws the rows of a task that has too many.
    """
    rows_of = [np.flatnonzero(known & (codes == task)) for task in range(tasks)]
    quotas = _quotas([len(rows) for rows in rows_of], MAX_REFERENCES)
    chosen = [
        np.sort(rng.choice(rows, quota, replace=False)) if quota < len(rows) else rows
        for rows, quota in zip(rows_of, quotas, strict=True)
    ]
    quantised, scales = quantise(vectors[np.concatenate(chosen)])
    return {
        "references.vectors": quantised,
        "references.scales": scales,
        "references.task": np.repeat(
            np.arange(tasks, dtype=np.int32), [len(rows) for rows in chosen]
        ).astype(np.int32),
    }


def conform_tensors(
    texts: Sequence[str], encoder: StaticEncoder, familiarity: Familiarity
) -> dict[str, NDArray[Any]]:
    """The tensors `conform.*`: score and task of held-out requests, as the runtime places them."""
    placements = [familiarity.place(encoder.embed(text)) for text in texts]
    placed = [placement for placement in placements if placement is not None]
    scores = np.array([placement.score for placement in placed], dtype=np.float32)
    tasks = np.array([placement.task for placement in placed], dtype=np.int32)
    order = np.lexsort((scores, tasks))
    return {"conform.scores": scores[order], "conform.task": tasks[order]}


def _quotas(sizes: Sequence[int], total: int) -> list[int]:
    """Rows a task, at most `total`: everybody the same, what small tasks leave goes to the rest."""
    quotas = [0] * len(sizes)
    left = total
    order = sorted(range(len(sizes)), key=lambda task: sizes[task])
    for position, task in enumerate(order):
        quotas[task] = min(sizes[task], left // (len(sizes) - position))
        left -= quotas[task]
    return quotas
