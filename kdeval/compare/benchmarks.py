"""What a reader must know of suites: by what harness they were run, and what they repeat."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.store.run_directory import BenchmarkEntry, BenchmarkTask, RunManifest

__all__ = ["benchmark_notes"]


def benchmark_notes(manifest: RunManifest) -> Iterator[str]:
    """A line a benchmark: by what it was run, and how; then what else is said of each suite."""
    for suite in manifest.suites:
        if suite.benchmark is not None:
            yield f"{suite.name}: {_how(suite.benchmark)}."
        yield from (f"{note}." for note in suite.notes)
    alone = [
        item.name
        for item in manifest.suites
        if item.benchmark and (not item.clustered or item.distinct_prompts is not None)
    ]
    if alone:
        yield (
            f"{', '.join(alone)}: documents of different prompts count as independent, since none "
            "is known to share a passage with another; intervals are too narrow if some do."
        )


def _how(benchmark: BenchmarkEntry) -> str:
    tasks = list(benchmark.tasks.values())
    parts = [f"run by {benchmark.harness} {benchmark.version}"]
    if len(tasks) > 1:
        parts.append(f"{len(tasks)} tasks")
    versions = sorted({task.version for task in tasks if task.version is not None})
    if versions:
        parts.append(f"task version{'s' * (len(versions) > 1)} {', '.join(versions)}")
    parts.append(f"{', '.join(str(n) for n in sorted({t.num_fewshot for t in tasks}))}-shot")
    if benchmark.settings.get("apply_chat_template"):
        parts.append("with each model's chat template")
    first = benchmark.settings.get("limit")
    if first is not None and any(task.documents_in_all > first for task in tasks):
        parts.append(_first(first, tasks))
    return ", ".join(parts)


def _first(first: int, tasks: list[BenchmarkTask]) -> str:
    whose = f"of {tasks[0].documents_in_all:,}" if len(tasks) == 1 else "of each task"
    return f"only the first {first:,} documents {whose}, which are no random sample"
