"""How sure each model was of its answer, from the best source that a run has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.pair_table import PairTable
from kdeval.compare.selection import Selection
from kdeval.stats.moments import is_binary

__all__ = ["ModelConfidence", "Source", "model_confidence"]

Source = Literal["probabilities", "confidence", "mean_log_prob"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfidence:
    """Confidence of one model's answers, shapes (m,).

    Attributes:
        source: the probability of the most probable label or choice; a recorded confidence; or the
            mean log-probability of the tokens written, which is no probability of being right.
        rows: positions in the selection.
        confidence: in [0, 1]; exp(mean log-probability) for that source.
        right: whether the answer is right.
    """

    source: Source
    rows: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]


def model_confidence(
    chosen: Selection, side: Literal["teacher", "student"], table: PairTable | None
) -> ModelConfidence | str:
    """Of one side; or why there is none.

    Args:
        chosen: all complete pairs.
        side: whose.
        table: of the pairs; without it, only probabilities of both models count.
    """
    found = chosen.probabilities
    if found is not None:
        logs = found.teacher if side == "teacher" else found.student
        return ModelConfidence(
            source="probabilities",
            rows=found.rows,
            confidence=np.minimum(np.exp(logs.max(axis=1)), 1.0),
            right=logs.argmax(axis=1) == found.labels,
        )
    if table is None:
        return "not both models gave probabilities"
    scores = chosen.teacher if side == "teacher" else chosen.student
    if table.aggregation != "mean" or not is_binary(scores):
        return "scores are not right or wrong"
    frame = table.frame.loc[table.complete]
    for source in ("confidence", "mean_log_prob"):
        column = f"{side}_{source}"
        if column not in frame or not frame[column].notna().any():
            continue
        values = frame[column].to_numpy(dtype=np.float64)
        if source == "mean_log_prob":
            values = np.exp(np.minimum(values, 0.0))
        rows = np.flatnonzero(np.isfinite(values))
        return ModelConfidence(
            source="confidence" if source == "confidence" else "mean_log_prob",
            rows=rows.astype(np.int64),
            confidence=np.clip(values[rows], 0.0, 1.0),
            right=scores[rows] == 1,
        )
    return "neither probabilities, a confidence nor log-probabilities of its answers are known"
