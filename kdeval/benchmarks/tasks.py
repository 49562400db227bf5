"""Finding and loading the lm-eval tasks that a configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager

from kdeval.benchmarks.index import TaskFiles, built_in_tasks, task_files
from kdeval.benchmarks.quiet import quiet
from kdeval.benchmarks.random_state import RandomState, as_lm_eval_seeds, random_state
from kdeval.benchmarks.task_suites import TaskSuite, split_warning, suites_of
from kdeval.benchmarks.unloadable import file_in_the_making, unloadable
from kdeval.config.lm_eval import LmEvalConfig
from kdeval.config.yaml_file import nearest
from kdeval.errors import DataError, UsageError

__all__ = ["LoadedTasks", "examples_of", "load_tasks"]

_LIKENESS = 0.8
"""Of a name that is suggested: among lm-eval's 15,000 something is always a little alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTasks:
    """Every task of the configuration with its documents, loaded once for all models.

    Attributes:
        random_state: after loading, as lm-eval leaves it before it builds a model's requests.
        warnings: which groups are several suites, a line each.
    """

    settings: LmEvalConfig
    suites: tuple[TaskSuite, ...]
    random_state: RandomState
    warnings: tuple[str, ...] = ()

    @property
    def tasks(self) -> dict[str, Any]:
        """lm-eval's task objects by name."""
        return {name: task for suite in self.suites for name, task in suite.tasks.items()}


def load_tasks(settings: LmEvalConfig) -> LoadedTasks:
    """The tasks, groups and tags that `settings` names.

    Raises:
        UsageError: a name is unknown, comes twice, or asks for what kdeval does not do.
        DataError: a task's file is broken, or its data set is out of reach.
    """
    manager = _manager(settings)
    suites: list[TaskSuite] = []
    warnings: list[str] = []
    with quiet(), random_state():
        as_lm_eval_seeds()
        for name in settings.tasks:
            entry = _loaded(manager, name)
            found = list(suites_of(name, entry))
            if not found:
                raise DataError(f"lm_eval: {name!r} has no tasks")
            if name in entry.get("groups", {}) and len(found) > 1:
                warnings.append(split_warning(name, found))
            suites.extend(found)
        state = RandomState.current()
    loaded = LoadedTasks(
        settings=settings, suites=tuple(suites), random_state=state, warnings=tuple(warnings)
    )
    _check(loaded)
    return loaded


def _manager(settings: LmEvalConfig) -> TaskManager:
    """lm-eval's own look-up over the user's directories and the few built-in ones needed."""
    own = [task_files(Path(directory)) for directory in settings.include_path]
    wanted, built_in = set(settings.tasks), dict[str, Sequence[str]]()
    if not all(any(name in files for files in own) for name in wanted):
        built_in.update(task_files(built_in_tasks()))
    _check_names(settings, own, built_in)
    seen: set[str] = set()
    while True:
        directories = _directories(wanted - _defined(own), built_in)
        with quiet():
            manager = TaskManager(
                include_path=[*directories, *settings.include_path], include_defaults=False
            )
        seen |= wanted
        members = {name for entry in wanted for name in _members(manager, entry)}
        if not members - seen:
            _check_index(manager, settings, [*own, built_in])
            return manager
        if not built_in:
            built_in.update(task_files(built_in_tasks()))
        wanted |= members


def _defined(own: Iterable[TaskFiles]) -> set[str]:
    return {name for files in own for name in files}


def _check_names(settings: LmEvalConfig, own: Sequence[TaskFiles], built_in: TaskFiles) -> None:
    valid = _defined(own).union(built_in)
    unknown = [name for name in settings.tasks if name not in valid]
    if unknown:
        where = ["lm-eval has no task, group or tag of that name"]
        for directory, files in zip(settings.include_path, own, strict=True):
            here = "nor has" if files else "no task was found in"
            where.append(f"{here} include_path {directory}")
        hints = {name: nearest(name, valid, likeness=_LIKENESS) for name in unknown}
        told = (
            f"{name!r}: " + ", ".join([*where, *([hint] if hint.endswith("?") else [])])
            for name, hint in hints.items()
        )
        raise UsageError(f"lm_eval: {'; '.join(told)}")


def _check_index(manager: TaskManager, settings: LmEvalConfig, files: Sequence[TaskFiles]) -> None:
    """Nothing, or an error where lm-eval skipped a file, or a group lists what no file defines."""
    for name in settings.tasks:
        if name not in manager.task_index:
            skipped = next(paths for found in files if (paths := found.get(name)))
            raise DataError(f"lm_eval: task {name!r}: {', '.join(skipped)}: no valid YAML")
        for member in _named(manager, name):
            if member not in manager.task_index and not member.endswith(".yaml"):
                raise UsageError(
                    f"lm_eval: group {name!r} lists {member!r}, which no file defines; "
                    f"{nearest(member, manager.task_index)}"
                )


def _directories(names: Iterable[str], files: TaskFiles) -> list[str]:
    """Where those names are defined; lm-eval reads what lies below by itself."""
    found = sorted({os.path.dirname(path) for name in names for path in files.get(name, ())})
    kept: list[str] = []
    for directory in found:
        if not (kept and directory.startswith(kept[-1] + os.sep)):
            kept.append(directory)
    return kept


def _members(manager: TaskManager, name: str) -> Iterable[str]:
    """What a group lists or writes out, wherever that is defined."""
    return _listed(_content(manager, name))


def _named(manager: TaskManager, name: str) -> Iterable[str]:
    """What a group lists by its name alone, so that it must be defined elsewhere."""
    return (item for item in _content(manager, name) if isinstance(item, str))


def _content(manager: TaskManager, name: str) -> Sequence[object]:
    entry = manager.task_index.get(name)
    found = None if entry is None else (entry.cfg or {}).get("task")
    return found if isinstance(found, list) else ()


def _listed(members: object) -> Iterable[str]:
    """Names in a list of members, and in the groups that are written out in it."""
    for item in members if isinstance(members, list) else ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from (item[key] for key in ("group", "task") if isinstance(item.get(key), str))
            yield from _listed(item.get("task"))


def _loaded(manager: TaskManager, name: str) -> Mapping[str, Any]:
    """Data files of a task are looked for in the working directory, then beside its own file."""
    entry = manager.task_index.get(name)
    file = None if entry is None else entry.yaml_path
    try:
        try:
            return dict(manager.load([name]))
        except FileNotFoundError as error:
            beside = file_in_the_making(error)
            if beside is None:
                raise
            with chdir(beside.parent):
                return dict(manager.load([name]))
    except Exception as error:
        raise unloadable(name, file, error) from error


def _check(loaded: LoadedTasks) -> None:
    seen: dict[str, str] = {}
    for suite in loaded.suites:
        for name, task in suite.tasks.items():
            if name in seen:
                raise UsageError(
                    f"lm_eval: task {name!r} comes twice, in {seen[name]!r} and in {suite.name!r}"
                )
            seen[name] = suite.name
            if getattr(task, "UNSAFE_CODE", False) and not loaded.settings.unsafe_code:
                raise UsageError(
                    f"lm_eval: task {name!r} runs code that models write on this machine: say "
                    "`unsafe_code: true` under lm_eval where that is safe, such as in a container"
                )
            if getattr(task, "MULTIMODAL", False):
                raise UsageError(f"lm_eval: task {name!r} shows images or sound, not only text")
            _check_examples(name, task, loaded.settings)


def _check_examples(name: str, task: Any, settings: LmEvalConfig) -> None:
    """Nothing, or an error where the task has fewer examples than each prompt is to show."""
    wanted = examples_of(task, settings)
    sampler = getattr(task, "sampler", None)
    if not wanted or sampler is None:
        return
    among = len(sampler.fewshot_indices or sampler.df)
    if task.fewshot_cfg.split == task.config.test_split:
        among -= 1  # the document that is asked
    if wanted > among:
        raise UsageError(
            f"lm_eval: num_fewshot: prompts of task {name!r} cannot show {wanted:,} examples: it "
            f"has {max(among, 0):,} to draw from"
        )


def examples_of(task: Any, settings: LmEvalConfig) -> int:
    """How many examples are in each prompt; a task that says 0 itself keeps to it."""
    own = task.get_config("num_fewshot")
    if settings.num_fewshot is not None and own != 0:
        return settings.num_fewshot
    return own or 0
