"""Where lm-eval's built-in tasks, groups and tags are defined, without parsing 14,000 YAML files.

lm-eval's own index parses every file, which takes seconds. Here only the four lines of each that
name something are read, and lm-eval then parses the directories that are needed.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

__all__ = ["TaskFiles", "built_in_tasks", "task_files"]

TaskFiles = Mapping[str, Sequence[str]]
"""Name of a task, group or tag to the files that define it, or that carry the tag."""

_IGNORED = ("__pycache__", ".ipynb_checkpoints")
_NAMING_LINES = re.compile(
    rb"^([\"']?)(task|group|tag|include|class)\1[ \t]*:[ \t]*([^\r\n#]*)"
    rb"((?:\r?\n[ \t]*-[ \t][^\r\n]*)*)",
    re.MULTILINE,
)
_DEEPEST_INCLUDE = 8


def built_in_tasks() -> Path:
    """The directory of lm-eval's own tasks, found without importing lm-eval."""
    found = find_spec("lm_eval")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "tasks"


def task_files(root: Path) -> TaskFiles:
    """Every name that a file below `root` defines or is tagged with."""
    found: dict[str, list[str]] = defaultdict(list)
    included: dict[str, dict[str, list[str]]] = {}
    for path in _yaml_files(root):
        for name in _names(_with_included(path, included)):
            found[name].append(path)
    return found


def _yaml_files(root: Path) -> Iterator[str]:
    for directory, below, files in os.walk(root):
        below[:] = sorted(name for name in below if name not in _IGNORED)
        yield from (
            os.path.join(directory, name) for name in sorted(files) if name.endswith(".yaml")
        )


def _names(lines: Mapping[str, list[str]]) -> Iterable[str]:
    """A group is known by its name alone: its `task` lists members that are defined elsewhere."""
    if "group" in lines and "class" not in lines:
        return lines["group"]
    return (*lines.get("task", ()), *lines.get("tag", ()))


def _with_included(
    path: str, included: dict[str, dict[str, list[str]]], depth: int = 0
) -> dict[str, list[str]]:
    """The naming lines of the file over those of the files that it includes."""
    lines = _naming_lines(path)
    for name in lines.get("include", ()) if depth < _DEEPEST_INCLUDE else ():
        other = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if other not in included:
            included[other] = _with_included(other, included, depth + 1)
        lines = {**included[other], **lines}
    return lines


def _naming_lines(path: str) -> dict[str, list[str]]:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return {}
    return {
        found[2].decode(): _values(found[3], found[4]) for found in _NAMING_LINES.finditer(text)
    }


def _values(value: bytes, below: bytes) -> list[str]:
    """Of `key: a`, of `key: [a, b]`, or of the list in the lines below."""
    value = value.strip()
    if value.startswith(b"["):
        parts = value.strip(b"[]").split(b",")
    elif value:
        parts = [value]
    else:
        parts = [line.strip()[1:] for line in below.splitlines() if line.strip()]
    return [part.strip().strip(b"\"'").decode("utf-8", "replace") for part in parts]
