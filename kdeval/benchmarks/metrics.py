"""Which metrics lm-eval logged for a suite, and what kdeval calls them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdeval.benchmarks.aggregation import Reading, readings_of
from kdeval.benchmarks.task_suites import TaskSuite
from kdeval.records import Metric

__all__ = ["CHOICE_METRICS", "LoggedMetric", "logged_metrics", "with_distinct_names"]

CHOICE_METRICS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
"""Metrics of multiple choice that say whether one chosen choice is right."""

_RATES = (*CHOICE_METRICS, "acc_all", "exact_match", "em", "f1")
_NO_FILTER = "none"

Entry = Mapping[str, Any]
"""What lm-eval logs of one document under one filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedMetric:
    """A metric of a suite.

    Attributes:
        key: lm-eval's name of it.
        filter: whose answers it marks.
        metric: as reports have it.
        reading: from what is logged to the score.
    """

    key: str
    filter: str
    metric: Metric
    reading: Reading


def logged_metrics(
    suite: TaskSuite, logs: Sequence[Mapping[str, Sequence[Entry]]]
) -> tuple[tuple[LoggedMetric, ...], tuple[str, ...]]:
    """The metrics that can be carried over, means first; and what must be said of them, in lines.

    Args:
        suite: the tasks.
        logs: of each model, task name to what is logged of the documents that it answered.
    """
    found, notes = [], []
    for key, filter_name in _pairs(suite, logs):
        name = key if filter_name == _NO_FILTER else f"{key} ({filter_name})"
        values = [
            (task, [entry[key] for entry in log[task] if _has(entry, key, filter_name)])
            for log in logs
            for task in suite.tasks
        ]
        reading = _reading(suite, key, values)
        if reading is None:
            notes.append(
                f"{suite.name}: lm-eval's metric {name} is left out: it is neither a mean over "
                "documents nor another figure that kdeval has intervals for"
            )
            continue
        metric = _metric(suite, name, key, reading, values)
        found.append(LoggedMetric(key=key, filter=filter_name, metric=metric, reading=reading))
    if not any(log[task] for log in logs for task in suite.tasks):
        notes.append(f"{suite.name}: every request to every model failed, so it has no figures")
    notes.extend(
        f"{suite.name}: {item.metric.name} is that of all its documents together, where lm-eval "
        "takes the mean of its tasks' own figures, which are slices here"
        for item in found
        if item.key in suite.by_size
        and not (suite.by_size[item.key] and item.metric.aggregation == "mean")
    )
    found.sort(key=lambda item: item.metric.aggregation != "mean")
    return tuple(found), tuple(notes)


def _pairs(suite: TaskSuite, logs: Sequence[Mapping[str, Sequence[Entry]]]) -> Iterable[Any]:
    """(metric, filter), as they first come."""
    return dict.fromkeys(
        (key, entry["filter"])
        for log in logs
        for task in suite.tasks
        for entry in log[task]
        for key in entry["metrics"]
    )


def _has(entry: Entry, key: str, filter_name: str) -> bool:
    return bool(entry["filter"] == filter_name and key in entry["metrics"])


def _reading(
    suite: TaskSuite, key: str, values: Sequence[tuple[str, Sequence[Any]]]
) -> Reading | None:
    """The one that gives lm-eval's own figure for every task and model."""
    from lm_eval.api.metrics import mean

    aggregates = {name: task.aggregation().get(key, mean) for name, task in suite.tasks.items()}
    first = next(iter(aggregates.values()))
    for reading in readings_of(first):
        if all(reading.agrees(found, aggregates[task]) for task, found in values if found):
            return reading
    return None


def _metric(
    suite: TaskSuite,
    name: str,
    key: str,
    reading: Reading,
    values: Sequence[tuple[str, Sequence[Any]]],
) -> Metric:
    task = next(iter(suite.tasks.values()))
    low, high = reading.low, reading.high
    if low is None and high is None:
        marks = {mark.value for _, found in values for mark in map(reading.mark, found) if mark}
        rate = key in _RATES and all(0 <= value <= 1 for value in marks)
        if rate or marks <= {0.0, 1.0}:
            low, high = 0.0, 1.0
    higher_is_better = bool(task.higher_is_better().get(key, True))
    of_choices = task.OUTPUT_TYPE != "multiple_choice" or key in CHOICE_METRICS
    mean_of_others = higher_is_better and reading.aggregation == "mean" and not of_choices
    return Metric(
        name=name,
        higher_is_better=higher_is_better,
        low=low,
        high=high,
        chance=0.0 if mean_of_others else None,
        aggregation=reading.aggregation,
    )


def with_distinct_names(
    suite: str, metrics: Iterable[LoggedMetric], known: Mapping[str, Metric]
) -> Iterator[LoggedMetric]:
    """The metrics, under another name where another suite's of that name means something else."""
    for item in metrics:
        other = known.get(item.metric.name)
        if other is None or other == item.metric:
            yield item
        else:
            named = replace(item.metric, name=f"{item.metric.name} of {suite}")
            yield replace(item, metric=named)
