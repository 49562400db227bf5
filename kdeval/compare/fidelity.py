"""How closely a student imitates its teacher where the teacher is right, and where it is wrong.

Imitation is no quality: a student that copies the teacher's errors is faithful and no better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.selection import Selection
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.moments import is_binary
from kdeval.stats.paired import agreement, mean

__all__ = ["Fidelity", "TeacherWas", "fidelity"]

TeacherWas = Literal["any", "right", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Imitation on one part of a suite.

    Attributes:
        teacher_was: which samples: all, or those that the teacher got right or wrong.
        n: pairs among them.
        agreement: share with the same output; None where outputs are unknown.
        n_probabilities: pairs with probabilities of both.
        kl: mean Kullback-Leibler divergence of the student from the teacher, KL(teacher ‖ student)
            in nats; without an estimate where the student gives 0 to what the teacher does not.
        infinite_kl: pairs of which that is so.
        js: mean Jensen-Shannon divergence in bits, in [0, 1]; always finite.
    """

    teacher_was: TeacherWas
    n: int
    agreement: Interval | None
    n_probabilities: int
    kl: Interval | None
    infinite_kl: int
    js: Interval | None


def fidelity(chosen: Selection, *, confidence: float) -> tuple[Fidelity, ...]:
    """All pairs first, then those the teacher got right and wrong, for right-or-wrong scores.

    Empty when neither outputs nor probabilities of both are known.
    """
    if chosen.n == 0 or (chosen.same is None and chosen.probabilities is None):
        return ()
    parts: dict[TeacherWas, NDArray[np.bool_]] = {"any": np.ones(chosen.n, dtype=bool)}
    if is_binary(chosen.teacher):
        parts |= {"right": chosen.teacher == 1, "wrong": chosen.teacher == 0}
    divergences = _divergences(chosen)
    return tuple(
        _part(chosen, name, mask, divergences, confidence)
        for name, mask in parts.items()
        if mask.any()
    )


def _part(
    chosen: Selection,
    name: TeacherWas,
    mask: NDArray[np.bool_],
    divergences: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    confidence: float,
) -> Fidelity:
    clusters, same = chosen.clusters, chosen.same
    agreed = None
    if same is not None:
        agreed = agreement(
            same[mask],
            clusters=None if clusters is None else clusters[mask],
            confidence=confidence,
        )
    kl = js = None
    infinite = among = 0
    if divergences is not None and chosen.probabilities is not None:
        inside = mask[chosen.probabilities.rows]
        among = int(inside.sum())
        codes = chosen.probability_clusters
        codes = None if codes is None else codes[inside]
        infinite = int(np.isinf(divergences[0][inside]).sum())
        kl = _mean(divergences[0][inside], codes, confidence)
        js = _mean(divergences[1][inside], codes, confidence)
    return Fidelity(
        teacher_was=name,
        n=int(mask.sum()),
        agreement=agreed,
        n_probabilities=among,
        kl=kl,
        infinite_kl=infinite,
        js=js,
    )


def _mean(
    values: NDArray[np.float64], clusters: NDArray[np.int64] | None, confidence: float
) -> Interval:
    infinite = int(np.isinf(values).sum())
    if infinite:
        return unknown(
            f"infinite on {infinite:,} samples: the student gives 0 to an answer that the "
            "teacher holds possible",
            confidence=confidence,
            method="mean",
            n=len(values),
        )
    return mean(values, clusters=clusters, confidence=confidence)


def _divergences(
    chosen: Selection,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """KL(teacher ‖ student) in nats and Jensen-Shannon in bits, a pair each.

    Source: Lin (1991), IEEE Transactions on Information Theory 37.
    """
    found = chosen.probabilities
    if found is None:
        return None
    teacher, student = found.teacher, found.student
    middle = np.logaddexp(teacher, student) - np.log(2)
    halves = _kl(teacher, middle) + _kl(student, middle)
    js = np.clip(halves / 2 / np.log(2), 0.0, 1.0)
    return np.maximum(_kl(teacher, student), 0.0), js


def _kl(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of rows of log-probabilities, with 0 log 0 = 0."""
    with np.errstate(invalid="ignore"):
        terms = np.exp(p) * (p - q)
    sums: NDArray[np.float64] = np.where(np.isneginf(p), 0.0, terms).sum(axis=1)
    return sums
