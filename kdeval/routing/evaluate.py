"""A router on samples it has not seen, beside what simpler rules would have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from kdeval_router.artefact import RouterArtefact, build_rule
from kdeval_router.decision import Decision
from kdeval_router.errors import RouterArtefactError
from kdeval_router.schema import RouterConfig
from numpy.typing import NDArray

from kdeval.errors import RoutingError
from kdeval.routing.baselines import Baseline, baselines
from kdeval.routing.certify import one_per_unit
from kdeval.routing.curve import CurvePoint, routing_curve
from kdeval.routing.guarantee import decide_all
from kdeval.routing.samples import RoutingSamples, load_samples
from kdeval.routing.split import unseen
from kdeval.routing.suites import suites_of_router
from kdeval.routing.task_rows import TaskRow, task_rows
from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import mean, paired_difference
from kdeval.store.run_directory import RunDirectory

__all__ = ["RouterEvaluation", "TaskRow", "evaluate_router"]

Unit = Literal["cluster", "distinct prompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterEvaluation:
    """How a router did on unseen samples.

    Attributes:
        n: samples evaluated.
        refused: samples that the router was fitted, calibrated or certified on.
        dropped: unseen samples without a score of the teacher or of a needed student.
        share: part of the samples that went to a student.
        quality: mean score of the routed system, with its interval.
        difference: routed minus always-teacher, paired; exactly 0 where nothing is certified, so
            that all goes to the teacher.
        lost: negative flips, over all samples.
        lost_rate: their rate over one sample a unit; its upper end is one-sided and exact, at
            the guarantee's confidence. Exactly 0 where nothing is certified.
        unit: what a unit of `lost_rate` is.
        level: the guarantee's largest rate; None when nothing is certified.
        saving: part of always-teacher's cost that was saved; None where costs are unknown.
        curve: what every threshold would do; only the operating point was certified.
        reasons: reason of a decision to its count.
        notes: where this run is not what the router was fitted on.
    """

    router: str
    config_hash: str
    run: str
    n: int
    refused: int
    dropped: int
    share: float
    quality: Interval
    difference: Interval
    lost: int
    gained: int
    lost_rate: Interval
    unit: Unit
    level: float | None
    saving: float | None
    baselines: tuple[Baseline, ...]
    tasks: tuple[TaskRow, ...]
    curve: tuple[CurvePoint, ...]
    reasons: dict[str, int]
    notes: tuple[str, ...]


def evaluate_router(
    router_dir: Path,
    run: RunDirectory,
    *,
    confidence: float = 0.95,
    suites: Sequence[str] = (),
) -> RouterEvaluation:
    """The router in `router_dir` on those samples of `run` that it has not seen.

    On the run it was fitted on these are the test split; on any other, all whose prompt and
    cluster are new to it.

    Args:
        router_dir: what `fit_router` wrote.
        run: a finished run with the same teacher and students.
        confidence: two-sided, of `quality` and `difference`.
        suites: of the run; none: those the router was fitted on, or all where `run` has none of
            these.

    Raises:
        RoutingError: the artefact is invalid, a model is missing, or no sample is unseen.
    """
    artefact = _load(router_dir)
    config, rule = artefact.config, build_rule(artefact)
    routed = suites_of_router(run, config.lineage.metrics, suites=suites)
    samples = load_samples(run, students=_students(config, run), metrics=routed.metrics)
    fresh = unseen(samples, artefact.tensors["splits.seen"], config.splits.seed)
    if not fresh.any():
        raise RoutingError(
            f"all {len(samples)} samples of {run.path} were used to fit, calibrate or certify the "
            f"router in {router_dir}: evaluate it on samples it has not seen"
        )
    tested = samples.take(fresh)
    decisions = decide_all(rule, list(tested.texts), list(tested.needs))
    columns = _target_columns(config, decisions)
    usable = _usable(tested, columns)
    if not usable.any():
        raise RoutingError(f"no unseen sample of {run.path} has scores of teacher and student")
    kept = [decision for decision, keep in zip(decisions, usable, strict=True) if keep]
    return _evaluation(
        config,
        tested.take(usable),
        kept,
        columns[usable],
        where=(str(router_dir), run.manifest.name),
        counts=(int((~fresh).sum()), int((~usable).sum())),
        notes=(*_notes(config, run), *routed.notes),
        confidence=confidence,
    )


def _load(router_dir: Path) -> RouterArtefact:
    try:
        return RouterArtefact.load(router_dir)
    except RouterArtefactError as error:
        raise RoutingError(str(error)) from error


def _students(config: RouterConfig, run: RunDirectory) -> tuple[str, ...]:
    present = {entry.name for entry in run.manifest.students}
    missing = [name for name in config.students if name not in present]
    if missing:
        raise RoutingError(
            f"{run.path} has no student {missing[0]!r}, which the router may choose: its students "
            f"are {', '.join(sorted(present)) or 'none'}"
        )
    return tuple(config.students)


def _notes(config: RouterConfig, run: RunDirectory) -> tuple[str, ...]:
    notes: list[str] = []
    measured = {config.teacher: config.lineage.teacher, **config.lineage.students}
    for entry in run.manifest.models:
        if entry.name in measured and measured[entry.name] != entry.fingerprint:
            notes.append(
                f"{entry.name} is not the model that the router was fitted on "
                f"({entry.fingerprint[:12]} here, {measured[entry.name][:12]} there): the "
                "guarantee does not cover it"
            )
    if run.manifest.teacher.name != config.teacher:
        notes.append(f"the teacher here is {run.manifest.teacher.name}, there {config.teacher}")
    return tuple(notes)


def _target_columns(config: RouterConfig, decisions: Sequence[Decision]) -> NDArray[np.int64]:
    """For each decision the student that is compared: its task's, or else the most tasks'."""
    names = list(config.students)
    targets = [task.target for task in config.tasks.values()]
    usual = max(range(len(names)), key=lambda column: targets.count(names[column]))
    column_of = {name: column for column, name in enumerate(names)}
    return np.array(
        [
            usual
            if decision.task is None
            else column_of.get(config.tasks[decision.task].target, usual)
            for decision in decisions
        ],
        dtype=np.int64,
    )


def _usable(samples: RoutingSamples, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (
        samples.teacher_known & samples.student_known[np.arange(len(samples)), columns]
    )
    return result


def _evaluation(
    config: RouterConfig,
    samples: RoutingSamples,
    decisions: Sequence[Decision],
    columns: NDArray[np.int64],
    *,
    where: tuple[str, str],
    counts: tuple[int, int],
    notes: tuple[str, ...],
    confidence: float,
) -> RouterEvaluation:
    routed = np.array([decision.role == "student" for decision in decisions])
    teacher = samples.teacher_right
    student = samples.student_right[np.arange(len(samples)), columns]
    answered = np.where(routed, student, teacher)
    lost, gained = teacher & ~answered, answered & ~teacher
    clusters = np.unique(samples.units.astype(str), return_inverse=True)[1]
    drawn = one_per_unit(samples.units, np.random.default_rng([config.splits.seed, 2]))
    return RouterEvaluation(
        router=where[0],
        config_hash=config.config_hash,
        run=where[1],
        n=len(samples),
        refused=counts[0],
        dropped=counts[1],
        share=float(routed.mean()),
        quality=mean(answered.astype(float), clusters=clusters, confidence=confidence),
        difference=paired_difference(
            teacher.astype(float), answered.astype(float), clusters=clusters, confidence=confidence
        )
        if config.guarantee.certified
        else _no_difference(len(samples), confidence),
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        lost_rate=clopper_pearson(
            int(lost[drawn].sum()),
            len(drawn),
            confidence=config.guarantee.confidence,
            side="upper",
        )
        if config.guarantee.certified
        else _no_difference(len(drawn), config.guarantee.confidence),
        unit="cluster" if samples.clustered else "distinct prompt",
        level=config.guarantee.level if config.guarantee.certified else None,
        saving=_saving(config, decisions),
        baselines=baselines(teacher, student, routed, samples.tasks),
        tasks=task_rows(config, decisions, teacher, student, routed),
        curve=routing_curve(decisions, config.thresholds.ranked_by, teacher, student),
        reasons=_counts([decision.reason for decision in decisions]),
        notes=notes,
    )


def _no_difference(n: int, confidence: float) -> Interval:
    """What a router that sends everything to the teacher changes: nothing, on any sample."""
    return Interval(
        estimate=0.0, low=0.0, high=0.0, confidence=confidence, n=n, clusters=None,
        method="known: all goes to the teacher",
    )  # fmt: skip


def _counts(values: Sequence[str]) -> dict[str, int]:
    names, counts = np.unique(np.array(values), return_counts=True)
    return {str(names[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")}


def _saving(config: RouterConfig, decisions: Sequence[Decision]) -> float | None:
    """Part of always-teacher's cost, at the mean costs that were known when it was fitted."""
    teacher = config.costs.teacher_usd
    if teacher is None or teacher <= 0:
        return None
    spent = 0.0
    for decision in decisions:
        cost = teacher
        if decision.role == "student":
            known = config.costs.students_usd.get(decision.target)
            if known is None:
                return None
            cost = known
        spent += cost
    return 1.0 - spent / (teacher * len(decisions))
