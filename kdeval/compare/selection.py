"""The complete pairs of one student, suite, metric and slice, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.comparison import ALL, Missing
from kdeval.compare.pair_table import PairTable, cluster_codes, load_pairs
from kdeval.stats.calibration import brier_scores, log_losses
from kdeval.stats.sets.aggregates import LENGTHS
from kdeval.store.reasons import alike
from kdeval.store.run_directory import RunDirectory

__all__ = [
    "PairTable",
    "Probabilities",
    "Selection",
    "cluster_codes",
    "load_pairs",
    "select",
    "selection_of",
]

FloatArray = NDArray[np.float64]
_REASONS = 10
_NO_ANSWERS = ("likelihood", "retrieval")
"""Kinds whose outputs do not agree or differ as answers do: a given text, a list of documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """Probabilities of both models where both gave them and the reference is among the labels.

    Attributes:
        rows: positions in the selection, shape (m,).
        teacher: natural-log probabilities, shape (m, k).
        student: the same of the student.
        labels: index of the reference, shape (m,).
    """

    rows: NDArray[np.int64]
    teacher: FloatArray
    student: FloatArray
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Pairs that count, in the suite's order, shapes (n,).

    Attributes:
        clusters: integer codes, or None when every sample is its own unit.
        chance: score of guessing evenly among the labels or choices; None without such.
        same: whether both outputs are equal; None when some output is unknown.
        teacher_outputs: codes of the outputs, comparable with `student_outputs`; None likewise.
        references: reference per sample, None where there is none.
        reference_codes: the same as codes, -1 where there is none.
        statistics: sufficient statistics of teacher and student, shapes (n, k), where the metric
            is no mean; its scores then only say how a sample went.
    """

    student: FloatArray
    teacher: FloatArray
    clusters: NDArray[np.int64] | None
    ids: NDArray[np.object_]
    content_hashes: NDArray[np.object_]
    missing: Missing
    teacher_outputs: NDArray[np.int64] | None
    student_outputs: NDArray[np.int64] | None
    references: NDArray[np.object_]
    chance: float | None
    probabilities: Probabilities | None
    statistics: tuple[FloatArray, FloatArray] | None = None
    reference_codes: NDArray[np.int64] | None = None

    @property
    def n(self) -> int:
        """Pairs that count."""
        return len(self.teacher)

    @property
    def n_missing(self) -> int:
        """Samples left out of both sides."""
        return self.missing.total

    @property
    def same(self) -> NDArray[np.bool_] | None:
        """Whether both outputs are equal; None when outputs are unknown."""
        if self.teacher_outputs is None or self.student_outputs is None:
            return None
        same: NDArray[np.bool_] = self.teacher_outputs == self.student_outputs
        return same

    @property
    def teacher_brier(self) -> FloatArray | None:
        """Halved Brier score per sample of `probabilities.rows`."""
        found = self.probabilities
        return None if found is None else brier_scores(np.exp(found.teacher), found.labels)

    @property
    def student_brier(self) -> FloatArray | None:
        """Halved Brier score per sample of `probabilities.rows`."""
        found = self.probabilities
        return None if found is None else brier_scores(np.exp(found.student), found.labels)

    @property
    def teacher_log_loss(self) -> FloatArray | None:
        """Log-loss in nats per sample of `probabilities.rows`; infinite at probability zero."""
        found = self.probabilities
        return None if found is None else log_losses(found.teacher, found.labels)

    @property
    def student_log_loss(self) -> FloatArray | None:
        """Log-loss in nats per sample of `probabilities.rows`; infinite at probability zero."""
        found = self.probabilities
        return None if found is None else log_losses(found.student, found.labels)

    @property
    def probability_clusters(self) -> NDArray[np.int64] | None:
        """Cluster codes of `probabilities.rows`."""
        if self.clusters is None or self.probabilities is None:
            return None
        return self.clusters[self.probabilities.rows]


def select(
    run: RunDirectory, *, student: str, suite: str, metric: str, slice: str = ALL
) -> Selection | None:
    """The complete pairs of that cell, or None when the run has no such student, suite, metric
    or slice.
    """
    table = load_pairs(run).get((student, suite, metric))
    if table is None or slice not in table.slices:
        return None
    return selection_of(table, slice)


def selection_of(table: PairTable, slice: str = ALL) -> Selection:
    """The complete pairs of that slice; pairs with an error or without a score are counted."""
    chosen = table.slices[slice]
    rows = np.flatnonzero(chosen & table.complete)
    teacher, student = (codes[rows] for codes in table.outputs)
    answered = len(rows) > 0 and bool((teacher >= 0).all() and (student >= 0).all())
    answered &= table.kind not in _NO_ANSWERS
    return Selection(
        teacher=table.scores("teacher")[rows],
        student=table.scores("student")[rows],
        clusters=None if table.clusters is None else table.clusters[rows],
        ids=table.ids[rows],
        content_hashes=table.content_hashes[rows],
        missing=_missing(table.frame[chosen & ~table.complete]),
        teacher_outputs=teacher if answered else None,
        student_outputs=student if answered else None,
        references=table.references[rows],
        reference_codes=table.reference_codes[rows],
        chance=_chance(table.options[rows]),
        probabilities=_probabilities(table, rows),
        statistics=_statistics(table, rows),
    )


def _missing(frame: pd.DataFrame) -> Missing:
    teacher_error = frame["teacher_error"].notna()
    student_error = frame["student_error"].notna()
    unscored = ~(teacher_error | student_error)
    reasons = pd.concat(
        [
            frame.loc[teacher_error, "teacher_error"].astype(str).map("teacher: {}".format),
            frame.loc[student_error, "student_error"].astype(str).map("student: {}".format),
            frame.loc[unscored, "teacher_score_reason"]
            .astype(object)
            .fillna(frame.loc[unscored, "student_score_reason"].astype(object)),
        ]
    )
    counts = {str(reason): int(count) for reason, count in reasons.value_counts().items()}
    return Missing(
        teacher_errors=int(teacher_error.sum()),
        student_errors=int(student_error.sum()),
        both_errors=int((teacher_error & student_error).sum()),
        unscored=int(unscored.sum()),
        reasons=dict(islice(alike(counts, most=_REASONS).items(), _REASONS)),
    )


def _chance(options: NDArray[np.int64]) -> float | None:
    """Mean over the samples of 1 / number of labels or choices; None where some has neither."""
    if not len(options) or not options.all():
        return None
    return float((1 / options).mean())


def _probabilities(table: PairTable, rows: NDArray[np.int64]) -> Probabilities | None:
    """Of the samples with as many options each, where both models gave some."""
    teacher, student = (table.lists.get(f"{side}_log_probs") for side in ("teacher", "student"))
    if teacher is None or student is None:
        return None
    labels = table.reference_indices[rows]
    usable = (teacher.lengths[rows] >= 0) & (student.lengths[rows] >= 0) & (labels >= 0)
    places = np.flatnonzero(usable)
    kept = rows[places]
    options = np.unique(table.options[kept])
    if len(options) != 1:
        return None
    return Probabilities(
        rows=places.astype(np.int64),
        teacher=_normalised(teacher.matrix(kept, int(options[0]))),
        student=_normalised(student.matrix(kept, int(options[0]))),
        labels=labels[places],
    )


def _statistics(table: PairTable, rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray] | None:
    if table.aggregation == "mean":
        return None
    width = LENGTHS[table.aggregation]
    sides = [table.lists.get(f"{side}_statistics") for side in ("teacher", "student")]
    if not len(rows):
        return np.empty((0, width)), np.empty((0, width))
    teacher, student = (side.matrix(rows, width) for side in sides if side is not None)
    return teacher, student


def _normalised(log_probs: FloatArray) -> FloatArray:
    """Options renormalised to sum to one; a choice's log-likelihoods need not."""
    top = log_probs.max(axis=1, keepdims=True)
    shifted: FloatArray = log_probs - top
    normalised: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised
