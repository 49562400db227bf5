"""From a run's scored pairs to the comparison of every student with the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kdeval.compare.above_chance import above_chance, no_better_than_guessing
from kdeval.compare.benchmarks import benchmark_notes
from kdeval.compare.calibration import compare_calibration
from kdeval.compare.comparison import ALL, Cell, Comparison, RunComparison
from kdeval.compare.looks import looks_confidence, looks_note
from kdeval.compare.macro import TaskPart, compare_tasks
from kdeval.compare.related.every import related
from kdeval.compare.repeated_errors import repeated_by_chance
from kdeval.compare.selection import PairTable, Selection, load_pairs, select, selection_of
from kdeval.compare.set_scores import (
    SetScores,
    retention_of_means,
    set_baselines,
    set_notes,
    set_scores,
)
from kdeval.cost.figures import cost_figures
from kdeval.latency.figures import latency_figures
from kdeval.latency.token_times import token_times
from kdeval.latency.tokens import token_figures
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.flips import cohen_kappa, flip_table
from kdeval.stats.means.paired import agreement, mean, paired_difference
from kdeval.stats.moments import is_binary
from kdeval.store.run_directory import RunDirectory

__all__ = ["compare_cell", "compare_run", "select"]


def compare_run(run: RunDirectory, *, confidence: float | None = None) -> RunComparison:
    """Every student against the teacher, for every suite, metric and slice.

    Args:
        run: a finished run.
        confidence: two-sided, of every interval; unless told the configuration's, or in a run of
            several looks the one that makes that hold over all of them.
    """
    confidence = confidence or looks_confidence(run)
    tables = load_pairs(run)
    students = tuple(
        _compare_student(run, tables, entry.name, confidence) for entry in run.manifest.students
    )
    return RunComparison(
        name=run.manifest.name,
        header=run.manifest.header,
        confidence=confidence,
        metrics=run.manifest.metrics,
        students=students,
        notes=_notes(run, students),
        **related(run, tables, students, confidence),
    )


def _compare_student(
    run: RunDirectory,
    tables: Mapping[tuple[str, str, str], PairTable],
    student: str,
    confidence: float,
) -> Comparison:
    cells: list[Cell] = []
    parts: list[TaskPart] = []
    for suite in run.manifest.suites:
        for metric in suite.metrics:
            table = tables.get((student, suite.name, metric))
            if table is None:
                continue
            for name in table.slices:
                chosen = selection_of(table, name)
                cells.append(
                    compare_cell(
                        chosen, suite=suite.name, slice=name,
                        metric=run.manifest.metrics[metric], kind=table.kind,
                        confidence=confidence, seed=run.manifest.header.seed,
                    )
                )  # fmt: skip
                if metric == suite.metrics[0] and name in table.tasks:
                    own = cells[-1]
                    parts.append(
                        TaskPart(suite.name, metric, name, chosen, own.retention, own.chance)
                    )
    entry = next(entry for entry in run.manifest.students if entry.name == student)
    teacher = run.manifest.teacher
    return Comparison(
        teacher=teacher.name,
        student=student,
        cells=tuple(cells),
        latency=latency_figures(run, student, confidence),
        cost=cost_figures(run, student, confidence),
        error_share=entry.errors / entry.requests if entry.requests else 0.0,
        teacher_error_share=teacher.errors / teacher.requests if teacher.requests else 0.0,
        requests=entry.requests,
        tokens=token_figures(run, student, confidence),
        token_times=token_times(run, student, confidence),
        overall=compare_tasks(parts, run.manifest.metrics, confidence),
    )


def compare_cell(
    chosen: Selection,
    *,
    suite: str,
    slice: str,
    metric: Metric,
    kind: str,
    confidence: float,
    seed: int,
) -> Cell:
    """One cell of the comparison, from its complete pairs."""
    teacher, student, clusters = chosen.teacher, chosen.student, chosen.clusters
    binary = chosen.n > 0 and is_binary(teacher) and is_binary(student)
    majority, chance = _majority(chosen, metric, kind), _chance(chosen, metric, kind)
    same = chosen.same
    found = None
    if metric.aggregation != "mean":
        found, binary = set_scores(chosen, metric, seed=seed), False
        majority, chance = set_baselines(chosen, metric)
    limits = (metric.low, metric.high)
    span = None if metric.low is None or metric.high is None else metric.high - metric.low
    return Cell(
        suite=suite,
        metric=metric.name,
        slice=slice,
        n=chosen.n,
        missing=chosen.missing,
        clusters=None if clusters is None else len(np.unique(clusters)),
        teacher_score=_within(
            mean(teacher, clusters=clusters, confidence=confidence, limits=limits)
            if found is None
            else found.teacher(confidence),
            metric.low,
            metric.high,
        ),
        student_score=_within(
            mean(student, clusters=clusters, confidence=confidence, limits=limits)
            if found is None
            else found.student(confidence),
            metric.low,
            metric.high,
        ),
        majority=majority,
        chance=chance,
        retention=_within(
            _retention(chosen, metric, found, confidence, chance),
            0.0 if metric.low is not None and metric.low >= 0 else None,
            None,
        ),
        difference=_within(
            paired_difference(
                teacher, student, clusters=clusters, confidence=confidence, limits=limits
            )
            if found is None
            else found.difference(confidence),
            None if span is None else -span,
            span,
        ),
        flips=flip_table(teacher, student) if binary else None,
        both_wrong_same=(
            int(((teacher == 0) & (student == 0) & same).sum())
            if binary and same is not None
            else None
        ),
        agreement=(
            None if same is None else agreement(same, clusters=clusters, confidence=confidence)
        ),
        kappa=(
            cohen_kappa(chosen.teacher_outputs, chosen.student_outputs)
            if kind == "classification"
            and chosen.teacher_outputs is not None
            and chosen.student_outputs is not None
            else None
        ),
        repeats_teacher_error=_repeated_errors(chosen, confidence) if binary else None,
        repeats_by_chance=repeated_by_chance(chosen) if binary else None,
        retention_above_chance=above_chance(chosen, metric, confidence, chance),
        calibration=compare_calibration(chosen, kind=kind, confidence=confidence, seed=seed),
    )


def _within(interval: Interval, low: float | None, high: float | None) -> Interval:
    """The interval cut to what the quantity can be, which costs no coverage."""
    ends = [interval.low, interval.high]
    for index, end in enumerate(ends):
        if end is not None and low is not None:
            end = max(end, low)
        if end is not None and high is not None:
            end = min(end, high)
        ends[index] = end
    return replace(interval, low=ends[0], high=ends[1])


def _chance(chosen: Selection, metric: Metric, kind: str) -> float | None:
    if metric.chance is not None:
        return metric.chance
    if not metric.higher_is_better:
        return None
    return chosen.chance if kind in ("classification", "multiple_choice") else None


def _majority(chosen: Selection, metric: Metric, kind: str) -> float | None:
    """Share of the most frequent reference label: what a constant answer would score."""
    if kind != "classification" or chosen.n == 0 or not metric.higher_is_better:
        return None
    codes = chosen.reference_codes
    if codes is None or codes.min() < 0:
        return None
    return float(np.bincount(codes).max() / chosen.n)


def _retention(
    chosen: Selection,
    metric: Metric,
    of_set: SetScores | None,
    confidence: float,
    chance: float | None,
) -> Interval:
    """Student over teacher (teacher over student where lower is better); refused where the teacher
    is not clearly better than guessing.
    """
    if of_set is not None:
        found, lowest = of_set.retention(confidence), of_set.teacher(confidence).low
        if found.reason is not None:
            return found
    else:
        found = retention_of_means(chosen, metric, confidence)
        lowest = mean(
            chosen.teacher,
            clusters=chosen.clusters,
            confidence=confidence,
            limits=(metric.low, metric.high),
        ).low
    if chance is None or chosen.n == 0 or not metric.higher_is_better:
        return found
    if lowest is not None and lowest > chance:
        return found
    return Interval(
        estimate=None,
        low=None,
        high=None,
        confidence=confidence,
        method=found.method,
        n=found.n,
        clusters=found.clusters,
        reason=no_better_than_guessing(chance),
    )


def _repeated_errors(chosen: Selection, confidence: float) -> Interval | None:
    same = chosen.same
    wrong = chosen.teacher == 0
    if same is None or not wrong.any():
        return None
    clusters = None if chosen.clusters is None else chosen.clusters[wrong]
    return agreement(same[wrong], clusters=clusters, confidence=confidence)


def _notes(run: RunDirectory, students: tuple[Comparison, ...]) -> tuple[str, ...]:
    notes = [
        "Intervals are two-sided and asymptotic: they miss at most 1.25 times as often as they "
        "say, more only for strongly skewed scores below about 100 samples, for rare losses that "
        "strike whole clusters, and for one model's rate within a few samples of 0 or 100 %."
    ]
    looked = looks_note(run)
    if looked is not None:
        notes.append(looked)
    files = [suite for suite in run.manifest.suites if suite.benchmark is None]
    if alone := [suite.name for suite in files if not suite.clustered]:
        notes.append(
            f"{', '.join(alone)}: every sample counts as independent. If samples share documents, "
            "conversations or templates, set `cluster` in the suite: intervals are too narrow "
            "without it."
        )
    notes.extend(benchmark_notes(run.manifest))
    notes.extend(set_notes(run.manifest.metrics))
    if run.manifest.limit is not None:
        notes.append(f"A seeded stratified sample of at most {run.manifest.limit} samples a suite.")
    if any(item.latency is not None and item.latency.source == "probe" for item in students):
        notes.append(
            "Latency: closed loop, one request at a time, models in turn on one machine; a "
            "loaded server is slower."
        )
    below = [
        f"{cell.suite} {cell.slice}"
        for item in students[:1]
        for cell in item.cells
        if cell.majority is not None
        and cell.teacher_score.estimate is not None
        and cell.teacher_score.estimate < cell.majority
    ]
    if below:
        notes.append(
            "The teacher scores below the majority baseline on: "
            f"{', '.join(below[:8])}. Retention there flatters the student."
        )
    if any(cell.slice == ALL and cell.n == 0 for item in students for cell in item.cells):
        notes.append("Some suite has no complete pair at all; see the counts of missing samples.")
    return tuple(notes)
