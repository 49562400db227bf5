"""Every layer of one network against every layer of another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.interval import Interval, check_confidence
from kdeval.stats.moments import FloatArray, IntArray, as_clusters
from kdeval.stats.representation.cka import LEAST_SAMPLES, unit_upper
from kdeval.stats.representation.jackknife import FISHER, differs, jackknife, sample_groups
from kdeval.stats.representation.mapping import ordered_mapping

__all__ = ["SHUFFLES", "LayerMatch", "LayerSimilarity", "layer_similarity"]

SHUFFLES = 19
"""The highest of 19 is exceeded by another shuffle with probability 1/20 = 5 %."""

_BLOCK_BYTES = 64_000_000

Grams = Mapping[int, FloatArray]
"""A layer's number to its Gram matrix, in order; it may be read from disk each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMatch:
    """One layer of the student and the teacher's that goes with it; layers by their number.

    Attributes:
        teacher: under the mapping that keeps the order of layers.
        cka: debiased, of both; the mapping is taken as given.
        nearest: the teacher's layer of the highest CKA, order or not.
        nearest_cka: of that one.
        as_near: layers of the teacher that are not shown to lie nearer or farther than `teacher`,
            itself included, by the paired difference of both CKAs.
    """

    student: int
    teacher: int
    cka: Interval
    nearest: int
    nearest_cka: float
    as_near: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSimilarity:
    """Student against teacher.

    Attributes:
        n: samples.
        table: debiased CKA, a row for each layer of the student, a column for each of the teacher;
            None where a layer represents all samples alike.
        matches: of the student's layers that tell samples apart.
        mean: of the matches' CKA.
        unrelated: what the highest CKA of the table stays below in 95 % of the cases when the
            student's samples are shuffled.
    """

    n: int
    table: tuple[tuple[float | None, ...], ...]
    matches: tuple[LayerMatch, ...]
    mean: Interval | None
    unrelated: float | None


def layer_similarity(
    teacher: Grams,
    student: Grams,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> LayerSimilarity:
    """Debiased CKA of all pairs of layers, the mapping of the student's, intervals and a zero.

    Memory holds a few layers of each at a time, however many there are.

    Args:
        teacher: Gram matrices of centred representations, each of shape (n, n), n of 4 or more.
        student: the same samples in the same order.
        rng: deals out groups of samples and shuffles them.
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.

    Raises:
        ValueError: too few samples.
    """
    check_confidence(confidence)
    n = len(next(iter(teacher.values())))
    if n < 2 * LEAST_SAMPLES:
        raise ValueError(f"layers are compared over {2 * LEAST_SAMPLES} samples or more, got {n}")
    codes = as_clusters(clusters, n)
    groups = sample_groups(n, codes, rng)
    kept = [np.flatnonzero(groups != group) for group in range(groups.max() + 1)]
    shuffled = [rng.permutation(n) for _ in range(SHUFFLES)]
    tables = _tables(teacher, student, _Looks(kept=kept, shuffled=shuffled))
    whole, without, chance = tables[0], tables[1 : 1 + len(kept)], tables[1 + len(kept) :]
    rows, columns = (~np.isnan(whole).all(axis=axis) for axis in (1, 0))
    counted = None if codes is None else int(codes.max()) + 1
    matches: tuple[LayerMatch, ...] = ()
    mean = level = None
    if rows.any():
        found = _Found(
            whole=whole[np.ix_(rows, columns)],
            without=np.nan_to_num(without[:, rows][:, :, columns]),
            rows=np.array([*student])[rows], columns=np.array([*teacher])[columns],
            n=n, clusters=counted, confidence=confidence,
        )  # fmt: skip
        matches, mean = _matches(found)
        level = float(np.nanmax(chance))
    table = tuple(
        tuple(None if math.isnan(value) else float(value) for value in row) for row in whole
    )
    return LayerSimilarity(n=n, table=table, matches=matches, mean=mean, unrelated=level)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looks:
    """Subsets of the samples of both, and orders of the student's alone."""

    kept: list[IntArray]
    shuffled: list[Any]


def _tables(teacher: Grams, student: Grams, looks: _Looks) -> FloatArray:
    """CKA of all samples, of each subset, and of each order; NaN where there is none."""
    theirs, ours = [*teacher], [*student]
    size = len(teacher[theirs[0]]) ** 2 * 8
    step = max(1, _BLOCK_BYTES // size)
    count = 1 + len(looks.kept) + len(looks.shuffled)
    tables = np.full((count, len(student), len(teacher)), np.nan)
    for first in range(0, len(theirs), step):
        columns = [teacher[layer] for layer in theirs[first : first + step]]
        for start in range(0, len(ours), step):
            rows = [student[layer] for layer in ours[start : start + step]]
            block = _block(columns, rows, looks)
            tables[:, start : start + len(rows), first : first + len(columns)] = block
    return tables


def _block(teacher: list[FloatArray], student: list[FloatArray], looks: _Looks) -> FloatArray:
    ours, theirs = _stacked(student, None), _stacked(teacher, None)
    found = [ours @ theirs.T]
    for kept in looks.kept:
        found.append(_stacked(student, kept) @ _stacked(teacher, kept).T)
    for order in looks.shuffled:
        found.append(_stacked(student, order) @ theirs.T)
    return np.clip(np.stack(found), -1.0, 1.0)


def _stacked(grams: list[FloatArray], index: Any) -> FloatArray:
    """A vector of length 1 for each layer, NaN for one that represents all samples alike."""
    chosen = grams if index is None else [gram[np.ix_(index, index)] for gram in grams]
    vectors = [unit_upper(gram) for gram in chosen]
    width = len(chosen[0]) * (len(chosen[0]) - 1) // 2
    return np.stack([np.full(width, np.nan) if v is None else v for v in vectors])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """CKA of the layers that tell samples apart; `rows` and `columns` are their numbers."""

    whole: FloatArray
    without: FloatArray
    rows: IntArray
    columns: IntArray
    n: int
    clusters: int | None
    confidence: float

    def interval(self, estimate: float, without: FloatArray) -> Interval:
        return jackknife(
            estimate, without.tolist(), n=self.n, clusters=self.clusters,
            confidence=self.confidence, scale=FISHER, limits=(-1.0, 1.0),
        )  # fmt: skip


def _matches(found: _Found) -> tuple[tuple[LayerMatch, ...], Interval]:
    mapping = ordered_mapping(found.whole)
    matches = []
    for row, column in enumerate(mapping):
        own = found.without[:, row, column]
        nearest = int(np.argmax(found.whole[row]))
        apart = differs(
            found.whole[row] - found.whole[row, column],
            found.without[:, row] - own[:, None],
            found.confidence,
        )
        matches.append(
            LayerMatch(
                student=int(found.rows[row]),
                teacher=int(found.columns[column]),
                cka=found.interval(float(found.whole[row, column]), own),
                nearest=int(found.columns[nearest]),
                nearest_cka=float(found.whole[row, nearest]),
                as_near=tuple(int(found.columns[index]) for index in np.flatnonzero(~apart)),
            )
        )
    rows = np.arange(len(mapping))
    mean = found.interval(
        float(found.whole[rows, mapping].mean()), found.without[:, rows, mapping].mean(axis=1)
    )
    return tuple(matches), mean
