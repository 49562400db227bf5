"""The figures that are averages over all tasks of a run, each task counted once."""

from __future__ import annotations

from dataclasses import replace

from kdeval.compare.figures.overall import Overall
from kdeval.compare.macro import TaskPart, averaged, task_scores
from kdeval.compare.selection import selection_of
from kdeval.errors import ConfigError
from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.quantity import counted
from kdeval.gate.resolve import Target
from kdeval.stats.interval import Interval, one_sided
from kdeval.stats.means.macro import TaskScores, macro_difference, macro_retention

__all__ = ["measure_macro"]

_SHOWN = 6


def measure_macro(judged: Judged, target: Target, level: float) -> Measurement:
    """Ratio or difference of the macro means, over the tasks that the report averages.

    The ratio is refused where the comparison refused it: a teacher whose average may be that of
    guessing. A task without a complete pair makes it unknown what would have been averaged: such a
    task is missing as a whole, and holds the verdict as any share of missing samples does.

    Raises:
        ConfigError: the run has fewer than two tasks that can be averaged.
    """
    parts = _parts(judged)
    metrics = judged.run.manifest.metrics
    kept, left_out = averaged(parts, metrics)
    if len(kept) < 2:
        raise ConfigError(
            f"{target.place}: the run has {counted(len(kept), 'task')} to average"
            + (f" (left out: {'; '.join(left_out)})" if left_out else "")
            + f": use {target.rule.metric.removeprefix('macro_')}"
        )
    tasks = tuple(task_scores(part) for part in kept)
    missing = [
        (part.slice.partition("=")[2] or part.suite, part.chosen.n_missing, part.chosen.n)
        for part in parts
        if part in kept or part.chosen.n == 0
    ]
    scores = ", ".join(dict.fromkeys(part.metric for part in kept))
    remarks = [
        f"over {counted(len(kept), 'task')}, each counted once, by its suite's first score "
        f"({scores})"
    ]
    remarks += [f"not averaged: {'; '.join(left_out)}"] if left_out else []
    overall = judged.comparison.overall
    remarks += _at_chance(overall)
    return Measurement(
        interval=_average(target, tasks, level, overall),
        margins=None,
        clusters=None,
        left_out=sum(count for _, count, _ in missing),
        tasks=tasks,
        remarks=tuple(remarks),
        thinnest=max(missing, key=lambda item: item[1] / max(item[1] + item[2], 1)),
    )


def _average(
    target: Target, tasks: tuple[TaskScores, ...], level: float, overall: Overall | None
) -> Interval:
    if target.rule.metric == "macro_difference":
        return macro_difference(tasks, confidence=one_sided(level))
    found = macro_retention(tasks, confidence=one_sided(level))
    if overall is None or overall.retention.estimate is not None:
        return found
    return replace(found, estimate=None, low=None, high=None, reason=overall.retention.reason)


def _at_chance(overall: Overall | None) -> list[str]:
    """Tasks that flatter the student: it keeps there what guessing keeps."""
    names = () if overall is None else overall.at_chance
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [
        f"counted although the teacher is not clearly better than guessing there: "
        f"{', '.join(names[:_SHOWN])}{more}"
    ]


def _parts(judged: Judged) -> list[TaskPart]:
    """Every task by the first metric of its suite."""
    parts = []
    for suite in judged.run.manifest.suites:
        table = judged.tables.get((judged.student, suite.name, suite.metrics[0]))
        for name in () if table is None else table.tasks:
            assert table is not None
            cell = judged.comparison.cell(suite=suite.name, metric=suite.metrics[0], slice=name)
            assert cell is not None
            chosen = selection_of(table, name)
            parts.append(
                TaskPart(suite.name, suite.metrics[0], name, chosen, cell.retention, cell.chance)
            )
    return parts
