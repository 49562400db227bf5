"""What of an earlier run in the same directory a run of another configuration replaces."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kdeval.config.schema import RunConfig
from kdeval.config.yaml_file import load_yaml_model
from kdeval.errors import RunError
from kdeval.store.run_directory import RunDirectory, RunManifest
from kdeval.suites.schema import SuiteConfig

__all__ = ["replaced_run"]


def replaced_run(config: RunConfig, out: Path) -> str | None:
    """A line that says so where `out` holds a finished run that `config` does not continue.

    It continues one of the same name and teacher whose suites and students it all has; more of
    them are fine. Answers are found by their content, so none is mixed up or lost either way: what
    goes is the manifest and the scored pairs that reports, gates and routers read.

    Raises:
        ConfigError: a suite's file is not valid.
    """
    try:
        earlier = RunDirectory.open(out).manifest
    except RunError:
        return None
    differences = list(_differences(config, earlier))
    if not differences:
        return None
    return (
        f"{out} holds another run ({'; '.join(differences)}): its scored pairs are replaced, its "
        "answers are kept; give another --out to keep both"
    )


def _differences(config: RunConfig, earlier: RunManifest) -> Iterable[str]:
    name = config.name or "run"
    if name != earlier.name:
        yield f"{earlier.name}, this is {name}"
    if config.teacher.name != earlier.teacher.name:
        yield f"its teacher is {earlier.teacher.name}, not {config.teacher.name}"
    students = {model.name for model in config.students}
    gone = [entry.name for entry in earlier.students if entry.name not in students]
    if gone:
        yield f"with the {_plural('student', gone)} {', '.join(gone)}"
    suites = {load_yaml_model(path, SuiteConfig).name for path in config.suites}
    gone = [
        entry.name
        for entry in earlier.suites
        if entry.name not in suites and not (entry.benchmark and config.lm_eval)
    ]
    if gone:
        yield f"with the {_plural('suite', gone)} {', '.join(gone)}"


def _plural(word: str, names: list[str]) -> str:
    return word if len(names) == 1 else f"{word}s"
