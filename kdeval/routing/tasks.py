"""Tasks: who classifies requests into them, and which student each of them goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from kdeval_router.schema import Viability
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from kdeval.routing.samples import RoutingSamples

__all__ = ["TaskClassifier", "choose_target", "fit_task_classifier", "judge_student"]

MIN_SAMPLES = 30
MIN_ROUTABLE = 0.05
_FOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClassifier:
    """A linear classifier of tasks as arrays, and what it says of fit samples it did not see."""

    names: tuple[str, ...]
    tensors: dict[str, NDArray[Any]]
    held_out: NDArray[np.int64]


def fit_task_classifier(
    vectors: NDArray[Any], tasks: NDArray[Any], groups: NDArray[Any]
) -> TaskClassifier:
    """The classifier of (n, dimensions) vectors into their tasks; groups are never divided."""
    names = tuple(sorted(set(tasks)))
    codes = np.searchsorted(np.array(names, dtype=object), tasks)
    if len(names) == 1:
        coefficients = np.zeros((1, vectors.shape[1]), dtype=np.float32)
        tensors = {"tasks.coefficients": coefficients, "tasks.intercepts": np.zeros(1, np.float32)}
        return TaskClassifier(names=names, tensors=tensors, held_out=codes)
    held_out = codes.copy()
    folds = min(_FOLDS, len(set(groups)))
    if folds > 1:
        for train, test in GroupKFold(folds).split(vectors, codes, groups):
            held_out[test] = _classify(vectors[test], *_linear(vectors[train], codes[train], names))
    coefficients, intercepts = _linear(vectors, codes, names)
    return TaskClassifier(
        names=names,
        tensors={"tasks.coefficients": coefficients, "tasks.intercepts": intercepts},
        held_out=held_out,
    )


def _linear(
    vectors: NDArray[Any], codes: NDArray[Any], names: tuple[str, ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    coefficients = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
    intercepts = np.full(len(names), -1e6, dtype=np.float32)
    present = np.unique(codes)
    if len(present) == 1:
        intercepts[present] = 0.0
        return coefficients, intercepts
    model = LogisticRegression(C=10.0, max_iter=300, tol=1e-3).fit(vectors, codes)
    if len(present) == 2:
        coefficients[present[1]], intercepts[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        coefficients[present], intercepts[present] = model.coef_, model.intercept_
    return coefficients, intercepts


def _classify(
    vectors: NDArray[Any], coefficients: NDArray[Any], intercepts: NDArray[Any]
) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = np.argmax(vectors @ coefficients.T + intercepts, axis=1)
    return codes


def judge_student(
    samples: RoutingSamples,
    student: int,
    risk: NDArray[np.float64],
    *,
    max_drop: float,
    saving: float | None,
) -> Viability:
    """What samples of one task say of one student; `risk`, the flip risk, is cross-fitted."""
    known = samples.teacher_known & samples.student_known[:, student]
    teacher, right = samples.teacher_right[known], samples.student_right[known, student]
    n = int(known.sum())
    lost = teacher & ~right
    in_order = lost[np.argsort(risk[known], kind="stable")]
    within = np.flatnonzero(np.cumsum(in_order) <= max_drop * n)
    routable = (int(within[-1]) + 1) / n if len(within) else 0.0
    saves = saving is None or saving > 0
    return Viability(
        n=n,
        teacher_score=float(teacher.mean()) if n else 0.0,
        student_score=float(right.mean()) if n else 0.0,
        negative_flips=int(lost.sum()),
        routable_share=routable,
        saving=saving,
        viable=n >= MIN_SAMPLES and routable >= MIN_ROUTABLE and saves,
    )


def choose_target(evidence: Mapping[str, Viability]) -> tuple[str | None, str | None]:
    """(student, None) or (None, why not): the viable student that saves most in all.

    That is the routable share times the saving a request; where a saving is unknown, the share.
    """
    viable = {name: item for name, item in evidence.items() if item.viable}
    if not viable:
        return None, "; ".join(f"{name}: {_why_not(item)}" for name, item in evidence.items())
    priced = all(item.saving is not None for item in viable.values())
    worth = {
        name: item.routable_share * ((item.saving or 0.0) if priced else 1.0)
        for name, item in viable.items()
    }
    return max(worth, key=lambda name: worth[name]), None


def _why_not(item: Viability) -> str:
    if item.n < MIN_SAMPLES:
        return f"{item.n} fit samples, at least {MIN_SAMPLES} are needed"
    if item.saving is not None and item.saving <= 0:
        return "it costs no less than the teacher"
    return (
        f"only {item.routable_share:.1%} of the task could be routed within the maximum drop, at "
        f"least {MIN_ROUTABLE:.0%} is needed"
    )
