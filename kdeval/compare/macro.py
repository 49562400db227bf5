"""All tasks of a run together: averages that count each task once, and the worst task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from kdeval.compare.above_chance import no_better_than_guessing
from kdeval.compare.figures.overall import MacroTask, Overall
from kdeval.compare.selection import Selection
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.macro import TaskScores, macro_difference, macro_mean, macro_retention
from kdeval.stats.means.paired import retention
from kdeval.stats.means.several_tests import smallest_of

__all__ = ["TaskPart", "averaged", "compare_tasks", "task_scores"]


class TaskPart(NamedTuple):
    """One task of a run: its place, its pairs, and its cell's retention and score of guessing."""

    suite: str
    metric: str
    slice: str
    chosen: Selection
    retention: Interval
    chance: float | None


def _not_averaged(metric: Metric) -> str | None:
    """Why scores of `metric` are not averaged with others; None where they are."""
    if not metric.higher_is_better:
        return "lower is better"
    if metric.aggregation != "mean":
        return "its score is no mean over samples"
    if (metric.low, metric.high) != (0.0, 1.0):
        return "not a score between 0 and 1"
    return None


def averaged(
    parts: Sequence[TaskPart], metrics: Mapping[str, Metric]
) -> tuple[list[TaskPart], list[str]]:
    """The tasks that can be averaged, and in words what was left out of them."""
    kept: list[TaskPart] = []
    left_out: list[str] = []
    for part in parts:
        why = _not_averaged(metrics[part.metric])
        if why is None and part.chosen.n == 0:
            why = "no complete pair"
        if why is None:
            kept.append(part)
        else:
            left_out.append(f"{_task_name(part, parts)} by {part.metric} ({why})")
    return kept, left_out


def _task_name(part: TaskPart, parts: Sequence[TaskPart]) -> str:
    """The task's own name; with its suite's where the run has several suites."""
    task = part.slice.partition("=")[2]
    if not task:
        return part.suite
    return f"{part.suite}, {task}" if len({item.suite for item in parts}) > 1 else task


def task_scores(part: TaskPart) -> TaskScores:
    """Its scores, for the statistics."""
    chosen = part.chosen
    return TaskScores(
        name=part.slice.partition("=")[2] or part.suite,
        teacher=chosen.teacher,
        student=chosen.student,
        clusters=chosen.clusters,
    )


def compare_tasks(
    parts: Sequence[TaskPart], metrics: Mapping[str, Metric], confidence: float
) -> Overall | None:
    """Averages over the tasks of a run; None where fewer than two can be averaged.

    Args:
        parts: every task of the run by the first metric of its suite.
        metrics: what the metrics' numbers mean.
        confidence: two-sided, of every interval.
    """
    kept, left_out = averaged(parts, metrics)
    if len(kept) < 2:
        return None
    scores = [task_scores(part) for part in kept]
    names = [_task_name(part, parts) for part in kept]
    without = [i for i, part in enumerate(kept) if part.retention.estimate is None]
    worst = None if without else _worst(kept, confidence)
    teacher = macro_mean(scores, "teacher", confidence=confidence)
    return Overall(
        tasks=tuple(
            MacroTask(
                name=name,
                suite=part.suite,
                metric=part.metric,
                slice=part.slice,
                n=part.chosen.n,
                retention=part.retention,
            )
            for name, part in zip(names, kept, strict=True)
        ),
        at_chance=tuple(names[i] for i in without),
        left_out=tuple(left_out),
        teacher_score=teacher,
        student_score=macro_mean(scores, "student", confidence=confidence),
        retention=_above_guessing(macro_retention(scores, confidence=confidence), teacher, kept),
        difference=macro_difference(scores, confidence=confidence),
        worst_task=None if worst is None else names[worst[0]],
        worst=None if worst is None else worst[1],
    )


def _above_guessing(kept: Interval, teacher: Interval, parts: Sequence[TaskPart]) -> Interval:
    """The macro retention, refused as a task's own where the teacher's average may be guessing's.

    A task of which no score of guessing is known counts 0, the least that it can be.
    """
    guessed = sum(part.chance or 0.0 for part in parts) / len(parts)
    if not guessed or (teacher.low is not None and teacher.low > guessed):
        return kept
    reason = no_better_than_guessing(guessed)
    return replace(kept, estimate=None, low=None, high=None, reason=reason)


def _worst(parts: Sequence[TaskPart], confidence: float) -> tuple[int, Interval] | None:
    def interval_at(index: int, level: float) -> Interval:
        part = parts[index]
        if level == confidence:
            return part.retention
        chosen = part.chosen
        return retention(chosen.teacher, chosen.student, clusters=chosen.clusters, confidence=level)

    return smallest_of(interval_at, len(parts), confidence=confidence)
