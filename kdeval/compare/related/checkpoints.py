"""One student as its training went on: the curve, the best checkpoint, and what was forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.figures.relations import (
    BestCheckpoint,
    CheckpointFigures,
    CheckpointPoint,
    Forgetting,
)
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.compare.related.steps import is_right_or_wrong, score_of, step
from kdeval.records import Metric
from kdeval.stats.means.paired import mean
from kdeval.store.fingerprints import value_digest

__all__ = ["checkpoint_figures"]

_FEWEST = 30
"""Samples that each half needs before one half selects a checkpoint for the other to judge."""

BoolArray = NDArray[np.bool_]


def checkpoint_figures(
    sheet: ScoreSheet,
    members: Sequence[str],
    steps: Sequence[float] | None,
    *,
    teacher: str,
    metric: Metric,
    confidence: float,
    seed: int,
) -> CheckpointFigures:
    """Figures over the samples that the teacher and every checkpoint answered.

    Args:
        sheet: the scores.
        members: the checkpoints in the order of training.
        steps: the training step of each; None: 1, 2, ...
        teacher: the teacher's name.
        metric: whose direction says what is better.
        confidence: of every interval.
        seed: decides which half of the samples selects.
    """
    rows = sheet.complete([teacher, *members])
    at = steps or range(1, len(members) + 1)
    points = tuple(
        CheckpointPoint(
            member=name,
            step=float(place),
            score=score_of(sheet, name, rows=rows, confidence=confidence),
            retention=step(sheet, teacher, name, rows=rows, confidence=confidence).retention,
        )
        for name, place in zip(members, at, strict=True)
    )
    return CheckpointFigures(
        suite=sheet.suite,
        metric=sheet.metric,
        n=int(rows.sum()),
        n_missing=int((~rows).sum()),
        points=points,
        best=_best(sheet, members, rows, metric, confidence, seed),
        forgetting=tuple(_forgetting(sheet, members, rows, confidence)),
    )


def _best(
    sheet: ScoreSheet,
    members: Sequence[str],
    rows: BoolArray,
    metric: Metric,
    confidence: float,
    seed: int,
) -> BestCheckpoint:
    selecting = rows & _half(sheet, rows, seed)
    judging = rows & ~selecting
    found = BestCheckpoint(
        on_all=_highest(sheet, members, rows, metric) if rows.any() else None,
        selected=None,
        score=None,
        against_last=None,
        n_selection=int(selecting.sum()),
        n_estimation=int(judging.sum()),
    )
    if min(found.n_selection, found.n_estimation) < _FEWEST:
        return replace(
            found,
            reason=f"each half needs {_FEWEST} samples: one to choose by, one to judge by",
        )
    chosen, last = _highest(sheet, members, selecting, metric), members[-1]
    return replace(
        found,
        selected=chosen,
        score=score_of(sheet, chosen, rows=judging, confidence=confidence),
        against_last=(
            None if chosen == last else sheet.difference(chosen, last, confidence, judging)
        ),
    )


def _half(sheet: ScoreSheet, rows: BoolArray, seed: int) -> BoolArray:
    """Which rows select, by hash of (seed, cluster or id), so that a cluster is never split."""
    units = sheet.units
    picked = {
        unit: int(value_digest(["checkpoints", seed, str(unit)])[:8], 16) % 2 == 0
        for unit in set(units[rows])
    }
    return np.array([picked.get(unit, False) for unit in units], dtype=bool)


def _highest(sheet: ScoreSheet, members: Sequence[str], rows: BoolArray, metric: Metric) -> str:
    """The member with the best mean; of equals the earliest."""
    sign = 1 if metric.higher_is_better else -1
    means = [sign * float(sheet.scores[name][rows].mean()) for name in members]
    return members[int(np.argmax(means))]


def _forgetting(
    sheet: ScoreSheet, members: Sequence[str], rows: BoolArray, confidence: float
) -> Iterator[Forgetting]:
    if not is_right_or_wrong(sheet, members, rows):
        return
    right = np.stack([sheet.scores[name] == 1 for name in members])
    for name, inside in sheet.slices.items():
        kept = rows & inside
        if kept.any():
            yield _of_slice(sheet, name, right[:, kept], kept, confidence)


def _of_slice(
    sheet: ScoreSheet, name: str, right: BoolArray, rows: BoolArray, confidence: float
) -> Forgetting:
    once = right[:-1].any(axis=0)
    falls = right[:-1] & ~right[1:]
    lost = (once & ~right[-1])[once].astype(float)
    codes = sheet.codes(rows)
    return Forgetting(
        slice=name,
        n=right.shape[1],
        once_right=int(once.sum()),
        forgotten=int(lost.sum()),
        share=mean(lost, clusters=None if codes is None else codes[once], confidence=confidence),
        learned=int((~right[0] & right[-1]).sum()),
        events=int(falls.sum()),
        never_forgotten=int((right.any(axis=0) & ~falls.any(axis=0)).sum()),
    )
