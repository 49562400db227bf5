"""Which of lm-eval's tasks a report shows together: a task by itself, or a group of tasks alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TaskSuite", "split_warning", "suites_of"]

_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSuite:
    """Tasks that a report shows as one suite: a task by itself, or a group of tasks alike.

    Attributes:
        name: of the task or the group.
        tasks: lm-eval's task objects by name.
        groups: task name to the group right above it, of groups within the group.
        by_size: metric to whether lm-eval weights tasks by their size, of metrics that it averages
            over the group's tasks.
    """

    name: str
    tasks: Mapping[str, Any]
    groups: Mapping[str, str] = field(default_factory=dict)
    by_size: Mapping[str, bool] = field(default_factory=dict)


def split_warning(name: str, suites: Sequence[TaskSuite]) -> str:
    """That the group is no suite of that name, so that no rule of a gate can name it."""
    names = [suite.name for suite in suites]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"lm_eval: {name}: its tasks are answered or marked in different ways, so it is "
        f"{len(names)} suites: {', '.join(names[:_SHOWN])}{more}"
    )


def suites_of(name: str, loaded: Mapping[str, Any]) -> Iterable[TaskSuite]:
    """A group is one suite; a tag is a suite for each of its tasks, as lm-eval reports it."""
    group = loaded.get("groups", {}).get(name)
    if group is not None:
        yield from _of_group(group)
        return
    for task_name, task in loaded["tasks"].items():
        yield TaskSuite(name=task_name, tasks={task_name: task})


def _of_group(group: Any) -> Iterable[TaskSuite]:
    """One suite where all its tasks are marked alike; otherwise one for each member."""
    tasks = {task.task_name: task for task in group.get_all_tasks()}
    if len({_marking(task) for task in tasks.values()}) == 1:
        by_size = {item.metric: item.weight_by_size for item in group.aggregate_metric_list}
        groups = dict(_groups_within(group))
        yield TaskSuite(name=group.name, tasks=tasks, groups=groups, by_size=by_size)
        return
    for member in group:
        if hasattr(member, "get_all_tasks"):
            yield from _of_group(member)
        else:
            yield TaskSuite(name=member.task_name, tasks={member.task_name: member})


def _groups_within(group: Any) -> Iterable[tuple[str, str]]:
    for member in group:
        if hasattr(member, "get_all_tasks"):
            name = member.name.rpartition("::")[2]
            yield from ((task.task_name, name) for task in member.get_all_tasks(recursive=False))
            yield from _groups_within(member)


def _marking(task: Any) -> tuple[Any, ...]:
    filters = getattr(task, "_filters", ())
    return (task.OUTPUT_TYPE, tuple(task.aggregation()), tuple(item.name for item in filters))
