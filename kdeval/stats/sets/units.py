"""What a bootstrap draws: samples, clusters, or random groups of them, with their sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdeval.stats.moments import FloatArray, IntArray
from kdeval.stats.sets.aggregates import CLASSIFICATION, Aggregate, class_sums

__all__ = ["GROUPS", "Units", "units_of"]

GROUPS = 1000
"""Random groups that more units than `_MOST` are put into."""

_MOST = 2000
_PSEUDO_WEIGHT = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units and the sums of both models' statistics in each, shapes (u, d).

    Attributes:
        weights: how often each unit occurs, shape (u,).
        pseudo_teacher: sums of the pseudo-units, shape (p, d): for each class with a reference one
            for each way that the two models can be right and wrong.
        pseudo_student: the same of the student.
        pseudo_weight: how often each of those counts as seen.
        n: samples.
        clusters: independent clusters, None when every sample is its own.
    """

    teacher: FloatArray
    student: FloatArray
    weights: FloatArray
    pseudo_teacher: FloatArray
    pseudo_student: FloatArray
    pseudo_weight: float
    n: int
    clusters: int | None

    @property
    def count(self) -> int:
        """Units that a resample draws."""
        return int(self.weights.sum())

    @property
    def totals(self) -> tuple[FloatArray, FloatArray]:
        """Sums over the set, of teacher and student."""
        return self.weights @ self.teacher, self.weights @ self.student


def units_of(
    aggregate: Aggregate,
    teacher: FloatArray,
    student: FloatArray,
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> Units:
    """The units of n samples with their statistics, shapes (n, k), n at least 1."""
    if aggregate in CLASSIFICATION:
        return _of_classes(teacher.astype(np.int64), student.astype(np.int64), clusters, rng)
    codes, count = _grouped(clusters, len(teacher), rng)
    return Units(
        teacher=_sums(teacher, codes, count),
        student=_sums(student, codes, count),
        weights=np.ones(count),
        pseudo_teacher=np.empty((0, teacher.shape[1])),
        pseudo_student=np.empty((0, teacher.shape[1])),
        pseudo_weight=0.0,
        n=len(teacher),
        clusters=None if clusters is None else int(clusters.max()) + 1,
    )


def _sums(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    columns = [np.bincount(codes, weights=column, minlength=count) for column in values.T]
    return np.stack(columns, axis=1)


def _grouped(clusters: IntArray | None, n: int, rng: np.random.Generator) -> tuple[IntArray, int]:
    """Unit of each sample, and how many units there are: clusters, or random groups of them."""
    codes = np.arange(n) if clusters is None else clusters
    count = n if clusters is None else int(clusters.max()) + 1
    if count <= _MOST:
        return codes, count
    return (rng.permutation(count) % GROUPS)[codes], GROUPS


def _of_classes(
    teacher: IntArray, student: IntArray, clusters: IntArray | None, rng: np.random.Generator
) -> Units:
    """Cells (reference, teacher's output, student's output), or clusters, or groups of those."""
    references = teacher[:, 0]
    classes = int(max(teacher.max(), student.max())) + 1
    if clusters is None:
        cells, weights = np.unique(_cell_codes(teacher, student, classes + 1), return_counts=True)
        if len(cells) <= _MOST:
            return _of_cells(cells, weights.astype(np.float64), classes)
    codes, count = _grouped(clusters, len(teacher), rng)

    def sums(outputs: IntArray) -> FloatArray:
        return class_sums(references, outputs, codes, n_units=count, classes=classes)

    size = None if clusters is None else _class_sizes(references, clusters, classes)
    pseudo = _pseudo(np.unique(references), classes, size)
    return Units(
        teacher=sums(teacher[:, 1]),
        student=sums(student[:, 1]),
        weights=np.ones(count),
        pseudo_teacher=pseudo[0],
        pseudo_student=pseudo[1],
        pseudo_weight=_PSEUDO_WEIGHT,
        n=len(teacher),
        clusters=None if clusters is None else int(clusters.max()) + 1,
    )


def _cell_codes(teacher: IntArray, student: IntArray, width: int) -> IntArray:
    said = [np.where(side[:, 1] < 0, width - 1, side[:, 1]) for side in (teacher, student)]
    codes: IntArray = (teacher[:, 0] * width + said[0]) * width + said[1]
    return codes


def _of_cells(cells: IntArray, weights: FloatArray, classes: int) -> Units:
    width = classes + 1
    references, one, other = cells // width**2, cells // width % width, cells % width
    alone = np.arange(len(cells))
    pseudo = _pseudo(np.unique(references), classes, None)
    return Units(
        teacher=class_sums(references, one, alone, n_units=len(cells), classes=classes),
        student=class_sums(references, other, alone, n_units=len(cells), classes=classes),
        weights=weights,
        pseudo_teacher=pseudo[0],
        pseudo_student=pseudo[1],
        pseudo_weight=_PSEUDO_WEIGHT,
        n=int(weights.sum()),
        clusters=None,
    )


def _class_sizes(references: IntArray, clusters: IntArray, classes: int) -> FloatArray:
    """Mean number of samples of each class in the clusters that have some, shape (classes,)."""
    pairs = np.unique(clusters * classes + references)
    among = np.bincount(pairs % classes, minlength=classes)
    return np.bincount(references, minlength=classes) / np.maximum(among, 1)


def _pseudo(
    present: IntArray, classes: int, size: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Sums of the pseudo-units: per class both right, student wrong, teacher wrong, both wrong."""
    references = np.repeat(present, 4)
    right = np.tile(np.array([[True, True], [True, False], [False, True], [False, False]]),
                    (len(present), 1))  # fmt: skip
    alone = np.arange(len(references))
    scale = 1.0 if size is None else size[references][:, None]
    found = [
        class_sums(
            references,
            np.where(right[:, side], references, -1),
            alone,
            n_units=len(references),
            classes=classes,
        )
        * scale
        for side in (0, 1)
    ]
    return found[0], found[1]
