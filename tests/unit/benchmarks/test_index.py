"""Where lm-eval's tasks are defined, found by their naming lines alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.benchmarks.index import built_in_tasks, task_files


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        suffix = "" if file.name.startswith("_") else ".yaml"
        file.with_name(file.name + suffix).write_text(text, encoding="utf-8")


def test_tasks_groups_and_tags_are_found_with_their_files(tmp_path: Path) -> None:
    """Quoted or not, in one line or a list, own or included; a group's members are no names."""
    _write(
        tmp_path,
        a__plain="task: plain  # a comment\ntag: [one, 'two']\n",
        a__quoted='"task": "quoted: name"\ntag:\n  - one\n  - three\n',
        b__all="group: all\ntask:\n  - plain\n  - elsewhere\n",
        b__child="include: ../_shared\ntask: child\n",
        _shared="tag: inherited\ntask: never\n",
        b__classed="class: !function x.Y\ntask: classed\ngroup: old\n",
    )
    found = {
        name: [str(Path(path).relative_to(tmp_path)) for path in paths]
        for name, paths in task_files(tmp_path).items()
    }
    assert found == {
        "plain": ["a/plain.yaml"],
        "quoted: name": ["a/quoted.yaml"],
        "one": ["a/plain.yaml", "a/quoted.yaml"],
        "two": ["a/plain.yaml"],
        "three": ["a/quoted.yaml"],
        "all": ["b/all.yaml"],
        "child": ["b/child.yaml"],
        "inherited": ["b/child.yaml"],
        "classed": ["b/classed.yaml"],
    }


def test_a_circle_of_includes_ends(tmp_path: Path) -> None:
    """Files that include each other are read, not followed for ever."""
    _write(tmp_path, a="include: b.yaml\ntask: a\n", b="include: a.yaml\ntask: b\n")
    assert {"a", "b"} <= set(task_files(tmp_path))


@pytest.mark.parametrize("folder", ["arc", "mmlu", "glue", "leaderboard", "truthfulqa", "squadv2"])
def test_it_agrees_with_lm_evals_own_index(folder: str) -> None:
    """The same names, and of tasks and groups the same files, as from parsing the whole YAML."""
    from lm_eval.tasks import TaskManager

    root = built_in_tasks() / folder
    theirs = TaskManager(include_path=str(root), include_defaults=False).task_index
    ours = task_files(root)
    assert set(theirs) <= set(ours)
    for name, entry in theirs.items():
        if entry.yaml_path is not None:
            assert str(entry.yaml_path) in ours[name]
