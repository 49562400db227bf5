"""Noise floors on disk: one JSON file a model, in `noise_floor/` of a run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kdeval.compare.noise_floor import KIND, NoiseFloor
from kdeval.errors import RunError, UsageError
from kdeval.report.strict_json import write_json
from kdeval.store.run_directory import RunDirectory

__all__ = ["noise_floor_file", "noise_floors_for", "read_noise_floors", "write_noise_floor"]

FOLDER = "noise_floor"


def noise_floor_file(run: Path, model: str) -> Path:
    """Where the floor of `model` lies in the run directory `run`."""
    return run / FOLDER / f"{model}.json"


def write_noise_floor(floor: NoiseFloor, run: Path) -> None:
    """`floor` in its place in the run directory `run`."""
    write_json(floor, noise_floor_file(run, floor.model))


def read_noise_floors(path: Path) -> tuple[NoiseFloor, ...]:
    """The floors at `path`: a file that `kdeval aa` wrote, its folder, or the run's directory.

    Raises:
        RunError: there is none, or one cannot be read.
    """
    if path.is_file():
        return (_read(path),)
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if (folder / "run.json") in files or not files:
        raise RunError(
            f"{path} holds no noise floor: give a file that `kdeval aa` wrote, or the directory "
            "it wrote into"
        )
    return tuple(_read(file) for file in files)


def noise_floors_for(
    run: RunDirectory, path: Path | None
) -> tuple[tuple[NoiseFloor, ...], tuple[str, ...]]:
    """Floors of models of `run`, and why others are not used.

    Args:
        run: whose models they must be, by name and fingerprint.
        path: what the user named; None: what lies in the run's own directory, if anything.

    Raises:
        UsageError: what the user named is of another model.
        RunError: a file cannot be read.
    """
    if path is None and not (run.path / FOLDER).is_dir():
        return (), ()
    models = {entry.name: entry.fingerprint for entry in run.manifest.models}
    found: list[NoiseFloor] = []
    problems: list[str] = []
    for floor in read_noise_floors(path or run.path):
        problem = _mismatch(floor, models)
        if problem is None:
            found.append(floor)
        elif path is not None:
            raise UsageError(f"{path}: {problem}")
        else:
            problems.append(f"Left out: {problem}.")
    return tuple(found), tuple(problems)


def _mismatch(floor: NoiseFloor, models: Mapping[str, str]) -> str | None:
    if floor.model not in models:
        return (
            f"the noise floor is of {floor.model!r}, which is no model of this run "
            f"({', '.join(models)})"
        )
    if floor.fingerprint != models[floor.model]:
        return (
            f"the noise floor is of another {floor.model!r} (fingerprint "
            f"{floor.fingerprint[:12]}, in this run {models[floor.model][:12]}): measure it again "
            "with `kdeval aa`"
        )
    return None


def _read(file: Path) -> NoiseFloor:
    try:
        floor = TypeAdapter(NoiseFloor).validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RunError(
            f"{file} is no noise floor of this version ({place}: {first['msg']}); measure it again "
            "with `kdeval aa`"
        ) from error
    if floor.kind != KIND:
        raise RunError(f"{file} is a {floor.kind}, not a {KIND}")
    return floor
