"""Is a request like the traffic that the router was fitted on: its task, and a conformal p-value.

The task is what a linear classifier says. The familiarity score of a request in its task is

    (mean cosine to its 5 nearest references of the task
     - 1/2 mean cosine to its 5 nearest references of the other tasks) x coverage,

where the coverage, the part of the request's words that the encoder knows, is left out for
encoders of general language. The p-value is the rank of that score among held-out requests which
the same rule assigned to the same task (Bates et al. 2023, arXiv 2104.08279): of fresh traffic
alike theirs at most a share alpha gets p <= alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdeval_router.encoder import Embedded

__all__ = ["NEIGHBOURS", "Familiarity", "Placement", "conformal_p_value"]

NEIGHBOURS = 5
_BACKGROUND_SHARE = 0.5

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a request lies.

    Attributes:
        task: index of the task it is assigned to.
        score: familiarity in that task; larger is more familiar.
        neighbour: mean cosine to the nearest references of the task.
        background: mean cosine to the nearest references of other tasks; None with one task.
    """

    task: int
    score: float
    neighbour: float
    background: float | None


class Familiarity:
    """Assigns requests to tasks and says how familiar they are.

    Args:
        references: (n, dimensions), unit rows, sorted by task.
        counts: references of each task, in the tasks' order.
        coefficients: (tasks, dimensions) of the task classifier.
        intercepts: (tasks,) of the task classifier.
        conform_scores: for each task the sorted scores of its held-out requests.
        covers: multiply by the coverage.
    """

    def __init__(
        self,
        *,
        references: FloatArray,
        counts: Sequence[int],
        coefficients: FloatArray,
        intercepts: FloatArray,
        conform_scores: Sequence[FloatArray],
        covers: bool,
    ) -> None:
        self._references = references
        ends = np.cumsum(counts)
        self._slices = [
            (int(end - count), int(end)) for end, count in zip(ends, counts, strict=True)
        ]
        self._coefficients = coefficients
        self._intercepts = intercepts
        self._conform_scores = conform_scores
        self._covers = covers

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, NDArray[Any]], *, tasks: int, covers: bool
    ) -> Familiarity:
        """The tensors `references.*`, `tasks.*` and `conform.*` of an artefact."""
        of_task = tensors["references.task"]
        rows = tensors["references.vectors"].astype(np.float32)
        rows *= tensors["references.scales"][:, None]
        scores, score_task = tensors["conform.scores"], tensors["conform.task"]
        return cls(
            references=rows,
            counts=np.bincount(of_task, minlength=tasks).tolist(),
            coefficients=tensors["tasks.coefficients"],
            intercepts=tensors["tasks.intercepts"],
            conform_scores=[np.sort(scores[score_task == task]) for task in range(tasks)],
            covers=covers,
        )

    def place(self, embedded: Embedded) -> Placement | None:
        """Task and score of the embedded request; None where it has no vector."""
        vector = embedded.vector
        if vector is None:
            return None
        task = 0
        if len(self._slices) > 1:
            task = int(np.argmax(self._coefficients @ vector + self._intercepts))
        start, end = self._slices[task]
        # einsum, not BLAS: a threaded matrix-vector product stalls for milliseconds on busy cores
        cosines = np.einsum("ij,j->i", self._references, vector)
        neighbour = _mean_of_largest(cosines[start:end])
        if neighbour is None:
            return None
        background = _mean_of_largest(np.concatenate((cosines[:start], cosines[end:])))
        score = neighbour - _BACKGROUND_SHARE * (background or 0.0)
        if self._covers:
            score *= embedded.coverage
        return Placement(
            task=task, score=float(np.float32(score)), neighbour=neighbour, background=background
        )

    def p_value(self, placement: Placement) -> float:
        """Conformal p-value of the placement: small is unfamiliar."""
        return conformal_p_value(self._conform_scores[placement.task], placement.score)


def conformal_p_value(sorted_scores: FloatArray, score: float) -> float:
    """(1 + number of held-out scores that are no larger) / (n + 1)."""
    no_larger = int(np.searchsorted(sorted_scores, np.float32(score), side="right"))
    return (1 + no_larger) / (len(sorted_scores) + 1)


def _mean_of_largest(cosines: FloatArray) -> float | None:
    if len(cosines) == 0:
        return None
    if len(cosines) > NEIGHBOURS:
        cosines = np.partition(cosines, len(cosines) - NEIGHBOURS)[-NEIGHBOURS:]
    return float(cosines.mean())
