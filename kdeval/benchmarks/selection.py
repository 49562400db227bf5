"""Which documents of each task are asked when a run takes only some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdeval.benchmarks.task_suites import TaskSuite
from kdeval.benchmarks.tasks import LoadedTasks
from kdeval.records import Sample
from kdeval.suites.sampling import stratified_sample

__all__ = ["documents_in_all", "selected_documents"]


def documents_in_all(task: object) -> int:
    """How many documents the task has."""
    return len(task.eval_docs)  # type: ignore[attr-defined]


def selected_documents(
    loaded: LoadedTasks, limit: int | None, seed: int
) -> Mapping[str, Sequence[int]] | None:
    """Task name to the numbers of its documents, at most `limit` a suite; None: no such limit.

    A seeded sample that is stratified by task, as of any suite; where the settings have lm-eval's
    own limit, a sample of the documents within that.
    """
    if limit is None:
        return None
    return {
        name: numbers
        for suite in loaded.suites
        for name, numbers in _of_suite(suite, loaded.settings.limit, limit, seed).items()
    }


def _of_suite(suite: TaskSuite, first: int | None, limit: int, seed: int) -> dict[str, list[int]]:
    places = [
        Sample(
            id=str(number), suite=f"{suite.name}/{name}", task=name, kind="generation", input="",
            content_hash="", slices={"task": name},
        )
        for name, task in suite.tasks.items()
        for number in range(min(documents_in_all(task), first or documents_in_all(task)))
    ]  # fmt: skip
    chosen: dict[str, list[int]] = {name: [] for name in suite.tasks}
    for sample in stratified_sample(places, limit, seed):
        chosen[sample.task].append(int(sample.id))
    return chosen
