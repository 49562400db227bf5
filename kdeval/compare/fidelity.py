"""How closely a student imitates its teacher where the teacher is right, and where it is wrong.

Imitation is no quality: a student that copies the teacher's errors is faithful and no better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.selection import Selection
from kdeval.stats.fidelity.divergence import Divergences, divergences
from kdeval.stats.interval import Interval, unknown
from kdeval.stats.means.paired import agreement, mean
from kdeval.stats.means.per_unit import per_unit
from kdeval.stats.moments import is_binary

__all__ = ["Apart", "Fidelity", "TeacherWas", "fidelity"]

TeacherWas = Literal["any", "right", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How far the probabilities of both lie apart at one temperature.

    Attributes:
        temperature: both distributions were raised to 1 / temperature and renormalised.
        kl: mean KL(teacher ‖ student) in nats; without an estimate where it is infinite.
        js: mean Jensen-Shannon divergence in bits, in [0, 1].
        tv: mean total variation, in [0, 1].
        teacher_entropy: mean, in nats.
        student_entropy: mean, in nats.
    """

    temperature: float
    kl: Interval
    js: Interval
    tv: Interval
    teacher_entropy: float
    student_entropy: float


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
        apart: these and total variation at temperature 1, then at the distillation temperature
            where that is another; empty without probabilities.
    """

    teacher_was: TeacherWas
    n: int
    agreement: Interval | None
    n_probabilities: int
    kl: Interval | None
    infinite_kl: int
    js: Interval | None
    apart: tuple[Apart, ...] = ()


def fidelity(
    chosen: Selection, *, confidence: float, temperature: float = 1.0
) -> tuple[Fidelity, ...]:
    """All pairs first, then those the teacher got right and wrong, for right-or-wrong scores.

    Empty when neither outputs nor probabilities of both are known.

    Args:
        chosen: the pairs.
        confidence: two-sided, of every interval.
        temperature: of distillation; divergences are given at 1 and at this one.
    """
    if chosen.n == 0 or (chosen.same is None and chosen.probabilities is None):
        return ()
    parts: dict[TeacherWas, NDArray[np.bool_]] = {"any": np.ones(chosen.n, dtype=bool)}
    if is_binary(chosen.teacher):
        parts |= {"right": chosen.teacher == 1, "wrong": chosen.teacher == 0}
    found = _divergences(chosen, temperature)
    return tuple(
        _part(chosen, name, mask, found, confidence) for name, mask in parts.items() if mask.any()
    )


def _part(
    chosen: Selection,
    name: TeacherWas,
    mask: NDArray[np.bool_],
    found: tuple[Divergences, ...],
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
    apart: tuple[Apart, ...] = ()
    infinite = among = 0
    if chosen.probabilities is not None:
        inside = mask[chosen.probabilities.rows]
        among = int(inside.sum())
        codes = chosen.probability_clusters
        codes = None if codes is None else codes[inside]
        infinite = int(np.isinf(found[0].kl[inside]).sum())
        if among:
            apart = tuple(_apart(item, inside, codes, confidence) for item in found)
    return Fidelity(
        teacher_was=name,
        n=int(mask.sum()),
        agreement=agreed,
        n_probabilities=among,
        kl=apart[0].kl if apart else None,
        infinite_kl=infinite,
        js=apart[0].js if apart else None,
        apart=apart,
    )


def _apart(
    found: Divergences,
    inside: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None,
    confidence: float,
) -> Apart:
    kl, js, tv = found.kl[inside], found.js[inside], found.tv[inside]
    return Apart(
        temperature=found.temperature,
        kl=_mean(kl, clusters, confidence, None),
        js=_mean(js, clusters, confidence, 1.0),
        tv=_mean(tv, clusters, confidence, 1.0),
        teacher_entropy=float(found.teacher_entropy[inside].mean()),
        student_entropy=float(found.student_entropy[inside].mean()),
    )


def _mean(
    values: NDArray[np.float64],
    clusters: NDArray[np.int64] | None,
    confidence: float,
    high: float | None,
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
    if values.min() == values.max():
        return mean(values, clusters=clusters, confidence=confidence, limits=(0.0, high))
    ones = np.ones_like(values)
    return per_unit(values, ones, clusters=clusters, confidence=confidence, low=0.0, high=high)


def _divergences(chosen: Selection, temperature: float) -> tuple[Divergences, ...]:
    """At temperature 1, and at another one."""
    found = chosen.probabilities
    if found is None:
        return ()
    wanted = dict.fromkeys((1.0, temperature))
    return tuple(divergences(found.teacher, found.student, temperature=t) for t in wanted)
