"""Whether samples stand to each other in a student as they do in its teacher.

Relational distillation asks no more of a student than that: the distances between samples, divided
by their mean, and the angles that three samples make. Both are compared here as that training does,
by the Huber loss, and as correlations, which 0 and 1 bound.

Source: Park, Kim, Lu & Cho (2019), Relational Knowledge Distillation, CVPR, arXiv 1904.05068: the
potentials and the Huber loss with its bend at 1. They divide by the mean distance of a batch; here
it is that of all samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdeval.stats.interval import Interval, check_confidence, unknown
from kdeval.stats.moments import FloatArray, IntArray, as_clusters
from kdeval.stats.representation.jackknife import FISHER, Scale, jackknife, sample_groups

__all__ = ["MOST_FOR_ANGLES", "Relation", "RelationSimilarity", "relation_similarity"]

MOST_FOR_ANGLES = 64
"""Samples whose angles are compared: they make an eighth of a million of them."""

_LEAST = 5
_ZERO = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One potential, over all pairs or triples of n samples.

    Attributes:
        correlation: Pearson's, of the teacher's with the student's.
        loss: mean Huber loss of their difference; 0 for a student that keeps all of them.
    """

    n: int
    correlation: Interval
    loss: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSimilarity:
    """Student against teacher; `angles` may be of fewer samples."""

    distances: Relation
    angles: Relation


def relation_similarity(
    teacher: FloatArray,
    student: FloatArray,
    *,
    rng: np.random.Generator,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> RelationSimilarity:
    """Distances of all pairs and angles of all triples, of at most `MOST_FOR_ANGLES` samples.

    Angles at a sample that has the same representation as another one are not defined, and left
    out.

    Args:
        teacher: Gram matrix of its representations, shape (n, n).
        student: of the same samples in the same order.
        rng: deals out groups of samples to leave out, and draws the samples for angles.
        clusters: Integer codes, shape (n,); samples that share one are dependent.
        confidence: Two-sided.
    """
    check_confidence(confidence)
    n = len(teacher)
    codes = as_clusters(clusters, n)
    drawn = np.sort(rng.permutation(n)[:MOST_FOR_ANGLES])
    found = []
    for index, potential in ((np.arange(n), _distances), (drawn, _angles)):
        chosen = None if codes is None else codes[index]
        asked = _Asked(
            teacher=teacher[np.ix_(index, index)], student=student[np.ix_(index, index)],
            potential=potential, groups=sample_groups(len(index), chosen, rng),
            clusters=None if chosen is None else len(np.unique(chosen)), confidence=confidence,
        )  # fmt: skip
        found.append(asked.relation())
    return RelationSimilarity(distances=found[0], angles=found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    teacher: FloatArray
    student: FloatArray
    potential: Callable[[FloatArray], FloatArray]
    groups: IntArray
    clusters: int | None
    confidence: float

    def relation(self) -> Relation:
        n = len(self.teacher)
        whole = self._figures(np.arange(n))
        if whole is None:
            refused = unknown(
                "too few samples are told apart", confidence=self.confidence,
                method="grouped jackknife t", n=n, clusters=self.clusters,
            )  # fmt: skip
            return Relation(n=n, correlation=refused, loss=refused)
        without = [
            self._figures(np.flatnonzero(self.groups != group))
            for group in range(self.groups.max() + 1)
        ]
        known = [item for item in without if item is not None]
        return Relation(
            n=n,
            correlation=self._interval(
                whole[0], [item[0] for item in known],
                scale=FISHER, limits=(-1.0, 1.0),
            ),
            loss=self._interval(
                whole[1], [item[1] for item in known], scale=(_log, math.exp),
                limits=(0.0, math.inf),
            ),
        )  # fmt: skip

    def _interval(
        self,
        estimate: float,
        without: list[float],
        *,
        scale: tuple[Scale, Scale],
        limits: tuple[float, float],
    ) -> Interval:
        return jackknife(
            estimate, without, n=len(self.teacher), clusters=self.clusters,
            confidence=self.confidence, scale=scale, limits=limits,
        )  # fmt: skip

    def _figures(self, kept: IntArray) -> tuple[float, float] | None:
        """(correlation, loss) over some of the samples."""
        inside = np.ix_(kept, kept)
        one, other = (self.potential(side[inside]) for side in (self.teacher, self.student))
        both = np.isfinite(one) & np.isfinite(other)
        one, other = one[both], other[both]
        if len(one) < _LEAST:
            return None
        gap = np.abs(one - other)
        loss = float(np.where(gap <= 1, gap**2 / 2, gap - 0.5).mean())
        one, other = one - one.mean(), other - other.mean()
        length = math.sqrt(float(one @ one) * float(other @ other))
        if length <= _ZERO * len(one):
            return None
        return float(np.clip(one @ other / length, -1.0, 1.0)), loss


def _squared(gram: FloatArray) -> FloatArray:
    own = np.diag(gram)
    squared: FloatArray = own[:, None] + own[None, :] - 2 * gram
    squared[squared < _ZERO * max(own.max(initial=0.0), 0.0)] = 0.0
    return squared


def _distances(gram: FloatArray) -> FloatArray:
    """Distance of each pair over the mean of all; NaN where all are 0."""
    found = np.sqrt(_squared(gram)[np.triu_indices(len(gram), k=1)])
    mean = found.mean() if len(found) else 0.0
    return np.asarray(found / mean if mean > 0 else np.full(len(found), np.nan))


def _angles(gram: FloatArray) -> FloatArray:
    """Cosine at j of the angle between i and k, for each j and i < k; NaN where i or k is at j."""
    n = len(gram)
    distance = np.sqrt(_squared(gram))
    distance[distance == 0] = np.nan
    first, last = np.triu_indices(n, k=1)
    found = np.empty((n, len(first)))
    for j in range(n):
        around = gram - gram[:, [j]] - gram[[j], :] + gram[j, j]
        cosine = around / (distance[:, [j]] * distance[[j], :])
        found[j] = cosine[first, last]
    return found.ravel()


def _log(value: float) -> float:
    return math.log(max(value, 1e-300))
