"""Why a task could not be loaded, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Any

from kdeval.errors import DataError, KdevalError, UsageError
from kdeval.run.secrets import redacted

__all__ = ["file_in_the_making", "unloadable"]

_CODE_SWITCH = "HF_ALLOW_CODE_EVAL"
"""Without it the `evaluate` library marks no code, which it says far down in a long message."""
_LOCAL = ("json", "csv", "parquet", "text", "arrow")


def unloadable(name: str, file: Path | None, error: Exception) -> KdevalError:
    """What to raise when lm-eval could not load `name`, which `file` defines.

    The data set's name and the file that failed, which may be a member of a group, are read from
    the task object that was being made.
    """
    if isinstance(error, KdevalError):
        return error
    config = _config_in_the_making(error)
    task = config.get("task") or name
    what = f"lm-eval task {task!r}" + (f" of {name!r}" if task != name else "")
    file = file_in_the_making(error) or file
    if _CODE_SWITCH in str(error):
        return UsageError(
            f"{what} runs code that models write on this machine: where that is safe, such as in a "
            f"container, set the environment variable {_CODE_SWITCH}=1 and say `unsafe_code: true` "
            "under lm_eval"
        )
    told = f"{type(error).__name__}: {redacted(' '.join(str(error).split()))[:300]}"
    if isinstance(error, StopIteration) and config.get("dataset_path") in _LOCAL:
        return DataError(f"{what}: a file of its data files {_data_files(config)} has no rows")
    if isinstance(error, ImportError):
        return DataError(f"{what} needs a package that is not installed: {told}")
    if isinstance(error, OSError) and config.get("dataset_path") in _LOCAL:
        return DataError(
            f"{what}: its data files {_data_files(config)} are neither in the working directory "
            f"({Path.cwd()}) nor beside {file}: {told}"
        )
    if not config.get("dataset_path"):
        return DataError(f"{what} cannot be loaded{'' if file is None else f' ({file})'}: {told}")
    if _asks_for_a_script(error):
        return DataError(
            f"{what}: its data set {_data_set(config)} is made by a script that the `datasets` "
            f"library does not run: {told}\n{_way_out(str(task), file)}"
        )
    if isinstance(error, OSError):
        return DataError(
            f"{what}: its data set {_data_set(config)} is out of reach: {told}\n"
            f"{_way_out(str(task), file)}"
        )
    return DataError(f"{what} cannot be loaded{'' if file is None else f' ({file})'}: {told}")


def _asks_for_a_script(error: Exception) -> bool:
    """Whether the `datasets` library says so; "script" alone is part of many a column's name."""
    told = str(error).lower()
    return "dataset script" in told or "trust_remote_code" in told


def file_in_the_making(error: Exception) -> Path | None:
    """The file of the task that could not be made; None where it is not known."""
    found = (_config_in_the_making(error).get("metadata") or {}).get("config_source")
    return Path(found) if found and Path(found).is_file() else None


def _config_in_the_making(error: Exception) -> Mapping[str, Any]:
    """The settings of the task whose constructor the error came through; empty without one."""
    found: Mapping[str, Any] = {}
    for frame, _ in walk_tb(error.__traceback__):
        settings = getattr(frame.f_locals.get("self"), "_config", None)
        if hasattr(settings, "dataset_path"):
            found = dict(vars(settings))
    return found


def _data_set(config: Mapping[str, Any]) -> str:
    path, name = config.get("dataset_path"), config.get("dataset_name")
    return repr(path) if name is None else f"{path!r} ({name})"


def _data_files(config: Mapping[str, Any]) -> str:
    return str((config.get("dataset_kwargs") or {}).get("data_files", "(none given)"))


def _way_out(task: str, file: Path | None) -> str:
    """The few lines of a task of one's own over local files."""
    lines = [
        "Connect once so that it is kept, or ask local files by a task of your own, in a",
        "directory that `include_path` names:",
        *([] if file is None else [f"  include: {file}"]),
        f"  task: my_{task}",
        "  dataset_path: json",
        "  dataset_name: null",
        "  dataset_kwargs: {data_files: {train: train.jsonl, validation: dev.jsonl, "
        "test: test.jsonl}}",
    ]
    return "\n".join(lines)
