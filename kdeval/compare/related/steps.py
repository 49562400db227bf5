"""One step from a model to another, on samples that a whole series has answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.figures.relations import Step
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean, retention
from kdeval.stats.moments import is_binary

__all__ = ["is_right_or_wrong", "score_of", "step"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def step(
    sheet: ScoreSheet, source: str, target: str, *, rows: BoolArray, confidence: float
) -> Step:
    """What changes from `source` to `target` on these rows."""
    before, after = sheet.scores[source][rows], sheet.scores[target][rows]
    binary = is_right_or_wrong(sheet, (source, target), rows)
    return Step(
        source=source,
        target=target,
        difference=sheet.difference(target, source, confidence, rows),
        retention=_kept(sheet, before, after, rows, confidence),
        lost=int(np.sum(before > after)) if binary else None,
        gained=int(np.sum(after > before)) if binary else None,
        changed=_changed(sheet, source, target, rows, confidence),
    )


def _kept(
    sheet: ScoreSheet, before: FloatArray, after: FloatArray, rows: BoolArray, confidence: float
) -> Interval:
    """After over before, or before over after where less is better."""
    base, other = (before, after) if sheet.higher_is_better else (after, before)
    return retention(
        base, other, clusters=sheet.codes(rows), confidence=confidence, limits=sheet.limits
    )


def score_of(sheet: ScoreSheet, model: str, *, rows: BoolArray, confidence: float) -> Interval:
    """Mean score of the model on these rows."""
    return mean(
        sheet.scores[model][rows],
        clusters=sheet.codes(rows),
        confidence=confidence,
        limits=sheet.limits,
    )


def is_right_or_wrong(sheet: ScoreSheet, members: Sequence[str], rows: BoolArray) -> bool:
    """Whether every score of these models on these rows is 0 or 1, and there is one."""
    return bool(rows.any()) and all(is_binary(sheet.scores[name][rows]) for name in members)


def _changed(
    sheet: ScoreSheet, source: str, target: str, rows: BoolArray, confidence: float
) -> Interval | None:
    before, after = sheet.outputs[source][rows], sheet.outputs[target][rows]
    if len(before) == 0 or (before < 0).any() or (after < 0).any():
        return None
    changed = (before != after).astype(np.float64)
    return mean(changed, clusters=sheet.codes(rows), confidence=confidence)
