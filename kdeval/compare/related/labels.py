"""A student trained on hard labels beside one trained on soft labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.figures.relations import LabelFigures
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.compare.selection import PairTable, Selection, selection_of
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.paired import paired_difference

__all__ = ["label_figures"]

FloatArray = NDArray[np.float64]
_UNBOUNDED = ("log_loss", "kl")


def label_figures(
    sheet: ScoreSheet,
    hard: str,
    soft: str,
    tables: tuple[PairTable, PairTable],
    *,
    confidence: float,
) -> LabelFigures:
    """Soft minus hard in score, calibration and fidelity, each paired on the samples both have.

    Args:
        sheet: the scores.
        hard: the student trained on hard labels.
        soft: the one trained on soft labels.
        tables: the pairs of hard and of soft.
        confidence: of every interval.
    """
    rows = sheet.complete((hard, soft))
    chosen = (selection_of(tables[0]), selection_of(tables[1]))

    def paired(what: str) -> Interval | None:
        found = [_column(item, what) for item in chosen]
        most = None if what in _UNBOUNDED else 1.0
        return _paired(found[0], found[1], most=most, confidence=confidence)

    return LabelFigures(
        suite=sheet.suite,
        metric=sheet.metric,
        n=int(rows.sum()),
        n_missing=int((~rows).sum()),
        difference=sheet.difference(soft, hard, confidence, rows),
        brier=paired("brier"),
        log_loss=paired("log_loss"),
        agreement=paired("agreement"),
        kl=paired("kl"),
    )


Column = tuple[list[object], FloatArray, list[object]]
"""Ids of samples, a value each, and the name of the unit each belongs to."""


def _column(chosen: Selection, what: str) -> Column | None:
    """One figure of one student, a sample each; None where it is unknown."""
    found = chosen.probabilities
    rows = np.arange(chosen.n)
    values: FloatArray | None
    if what == "agreement":
        values = None if chosen.same is None else chosen.same.astype(np.float64)
    elif found is None:
        return None
    else:
        rows = found.rows
        if what == "brier":
            values = chosen.student_brier
        elif what == "log_loss":
            values = chosen.student_log_loss
        else:
            values = _kl(found.teacher, found.student)
    if values is None:
        return None
    ids = chosen.ids[rows]
    codes = ids if chosen.clusters is None else chosen.clusters[rows]
    return list(ids), values, list(codes)


def _paired(
    hard: Column | None, soft: Column | None, *, most: float | None, confidence: float
) -> Interval | None:
    if hard is None or soft is None:
        return None
    place = {name: index for index, name in enumerate(soft[0])}
    both = [(index, place[name]) for index, name in enumerate(hard[0]) if name in place]
    if not both:
        return None
    first, second = (np.array(side) for side in zip(*both, strict=True))
    before, after = hard[1][first], soft[1][second]
    infinite = int((~np.isfinite(before) | ~np.isfinite(after)).sum())
    if infinite:
        return unknown(
            f"infinite on {infinite:,} samples: a probability of 0",
            confidence=confidence, method="paired difference", n=len(before),
        )  # fmt: skip
    units = [hard[2][index] for index in first]
    _, codes = np.unique(np.array(units, dtype=str), return_inverse=True)
    return paired_difference(
        before, after, clusters=codes, confidence=confidence, limits=(0.0, most)
    )


def _kl(teacher: FloatArray, student: FloatArray) -> FloatArray:
    """KL(teacher ‖ student) of rows of log-probabilities, in nats, with 0 log 0 = 0."""
    with np.errstate(invalid="ignore"):
        terms = np.exp(teacher) * (teacher - student)
    sums: FloatArray = np.where(np.isneginf(teacher), 0.0, terms).sum(axis=1)
    return np.maximum(sums, 0.0)
