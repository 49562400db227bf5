"""All that is learnt on the fit and conform splits: tasks, references, heads, targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from kdeval_router.encoder import Embedded
from kdeval_router.familiarity import Familiarity
from kdeval_router.heads import head_features
from kdeval_router.schema import TaskEntry
from numpy.typing import NDArray

from kdeval.errors import RoutingError
from kdeval.routing.conformal import choose_references, conform_tensors, min_conform
from kdeval.routing.encoder_fit import FittedEncoder
from kdeval.routing.heads import FittedHead, fit_head
from kdeval.routing.samples import RoutingSamples
from kdeval.routing.savings import Savings
from kdeval.routing.tasks import choose_target, fit_task_classifier, judge_student

__all__ = ["FittedRanking", "fit_ranking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRanking:
    """Everything of a router but its threshold.

    Attributes:
        tasks: task name to its entry, in the order of the tensors' task indices.
        tensors: `tasks.*`, `references.*`, `conform.*` and `heads.*`.
        held_out_risk: cross-fitted flip risks of the fit samples in routable tasks.
    """

    tasks: dict[str, TaskEntry]
    tensors: dict[str, NDArray[Any]]
    held_out_risk: NDArray[np.float64]


def fit_ranking(
    fit: RoutingSamples,
    conform: RoutingSamples,
    encoder: FittedEncoder,
    *,
    teacher: str,
    savings: Savings,
    max_drop: float,
    alpha: float,
    seed: int,
) -> FittedRanking:
    """The ranking learnt from the fit split, with the conform split's reference scores.

    Raises:
        RoutingError: no prompt has a token that the encoder knows.
    """
    runtime = encoder.encoder
    embedded = [runtime.embed(text) for text in fit.texts]
    vectors, known = _matrix(embedded, runtime.dimensions)
    if not known.any():
        raise RoutingError("the encoder knows no token of any prompt: name another encoder")
    classifier = fit_task_classifier(vectors, fit.tasks, fit.units)
    names = classifier.names
    codes = np.searchsorted(np.array(names, dtype=object), fit.tasks)
    rng = np.random.default_rng([seed, 0])
    tensors = {
        **classifier.tensors,
        **choose_references(vectors, known, codes, len(names), rng),
        "conform.scores": np.zeros(0, dtype=np.float32),
        "conform.task": np.zeros(0, dtype=np.int32),
    }
    familiarity = Familiarity.from_tensors(tensors, tasks=len(names), covers=encoder.covers)
    tensors |= conform_tensors(list(conform.texts), runtime, familiarity)
    heads = _fit_heads(fit, embedded, known, classifier.held_out, len(names))
    tensors["heads.coefficients"] = np.stack([head.coefficients for head in heads])
    tensors["heads.intercepts"] = np.array([head.intercept for head in heads])
    wrong = 1.0 - np.stack([head.held_out for head in heads[1:]], axis=1)
    risks = heads[0].held_out[:, None] * wrong
    entries: dict[str, TaskEntry] = {}
    for code, name in enumerate(names):
        rows = codes == code
        entries[name] = _task_entry(
            fit.take(rows),
            risks[rows],
            teacher=teacher,
            savings=savings,
            max_drop=max_drop,
            max_tokens=max((item.tokens for item, of in zip(embedded, rows, strict=True) if of)),
            conform_n=int((tensors["conform.task"] == code).sum()),
            conform_min=min_conform(alpha),
        )
    return FittedRanking(
        tasks=entries, tensors=tensors, held_out_risk=_risks_of_targets(fit, risks, entries)
    )


def _matrix(
    embedded: list[Embedded], dimensions: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n, dimensions) with zero rows where a text has no vector, and where it has one."""
    empty = np.zeros(dimensions, dtype=np.float32)
    vectors = np.stack([empty if item.vector is None else item.vector for item in embedded])
    return vectors, np.array([item.vector is not None for item in embedded])


def _fit_heads(
    fit: RoutingSamples,
    embedded: list[Embedded],
    known: NDArray[np.bool_],
    codes: NDArray[np.int64],
    tasks: int,
) -> list[FittedHead]:
    """Teacher first, then the students; tasks are those that held-out classification gives."""
    width = next(len(item.vector) for item in embedded if item.vector is not None) + 2 + tasks
    features = np.zeros((len(fit), width))
    for row in np.flatnonzero(known):
        features[row] = head_features(embedded[row], int(codes[row]), tasks)
    heads = [fit_head(features, fit.teacher_right, fit.teacher_known & known, fit.units)]
    for column in range(len(fit.students)):
        of_student = fit.student_known[:, column] & known
        heads.append(fit_head(features, fit.student_right[:, column], of_student, fit.units))
    return heads


def _task_entry(
    samples: RoutingSamples,
    risks: NDArray[np.float64],
    *,
    teacher: str,
    savings: Savings,
    max_drop: float,
    max_tokens: int,
    conform_n: int,
    conform_min: int,
) -> TaskEntry:
    evidence = {
        name: judge_student(
            samples, column, risks[:, column], max_drop=max_drop, saving=savings.relative[name]
        )
        for column, name in enumerate(samples.students)
    }
    target, reason = choose_target(evidence)
    if target is not None and conform_n < conform_min:
        target = None
        reason = (
            f"{conform_n} held-out requests for the in-distribution test, at least "
            f"{conform_min} are needed"
        )
    return TaskEntry(
        target=target or teacher,
        reason=reason,
        n=len(samples),
        conform_n=conform_n,
        max_tokens=max_tokens,
        evidence=evidence,
    )


def _risks_of_targets(
    fit: RoutingSamples, risks: NDArray[np.float64], entries: dict[str, TaskEntry]
) -> NDArray[np.float64]:
    column_of = {name: column for column, name in enumerate(fit.students)}
    targets = [column_of.get(entries[task].target) for task in fit.tasks]
    return np.array(
        [row[column] for row, column in zip(risks, targets, strict=True) if column is not None]
    )
