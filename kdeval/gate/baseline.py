"""The student that a new one must not fall behind: its scores by sample, without any text.

A baseline is a finished run, or a file small enough to commit: for every suite, metric and
student the sample ids, a short hash of each sample's content, and the scores. Two runs pair by
(suite, id, content hash), so a sample that was edited since is left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from kdeval.config.yaml_file import nearest
from kdeval.errors import RunError, UsageError
from kdeval.records import RunHeader
from kdeval.store.run_directory import RunDirectory

__all__ = [
    "BASELINE_FILE",
    "Baseline",
    "BaselinePairing",
    "BaselineScores",
    "load_baseline",
    "write_baseline",
]

SCHEMA_VERSION: Final = 1
KIND: Final = "kdeval.baseline"
BASELINE_FILE: Final = "baseline.json"
_HASH_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineScores:
    """One student's scores by one metric on one suite; the three tuples run in parallel.

    Attributes:
        content_hashes: the first 12 characters of each sample's content hash.
        scores: only samples that the student answered and the scorer could mark.
    """

    ids: tuple[str, ...]
    content_hashes: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePairing:
    """Samples of a run that the baseline scored too.

    Attributes:
        rows: positions in the run's arrays, shape (n,).
        scores: the baseline's scores of those samples, shape (n,).
        changed: samples of the same id whose content is another one now.
        absent: samples that the baseline has no score of.
        gone: samples that the baseline scored and that the suite has no more.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    changed: int
    absent: int
    gone: int = 0

    @property
    def left_out(self) -> int:
        """Samples of either that the other cannot be compared on."""
        return self.changed + self.absent + self.gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a baseline file holds.

    Attributes:
        name: of the run it was made from.
        suites: suite to metric to student to scores.
        student: the student that is the baseline; None: the only one, or the gated one's namesake.
    """

    name: str
    header: RunHeader
    suites: Mapping[str, Mapping[str, Mapping[str, BaselineScores]]]
    student: str | None = None
    schema_version: Literal[1] = 1
    kind: Literal["kdeval.baseline"] = KIND

    @property
    def students(self) -> tuple[str, ...]:
        """Every student it has scores of."""
        names = (
            student
            for metrics in self.suites.values()
            for students in metrics.values()
            for student in students
        )
        return tuple(dict.fromkeys(names))

    def student_for(self, gated: str) -> str:
        """Name of the baseline student that `gated` is measured against.

        Raises:
            UsageError: it has several students, none of that name, and none was chosen.
        """
        if self.student is not None:
            return self.student
        if len(self.students) == 1:
            return self.students[0]
        if gated in self.students:
            return gated
        raise UsageError(
            f"the baseline {self.name!r} holds several students ({', '.join(self.students)}) and "
            f"none called {gated!r}: say which one is the baseline"
        )


def load_baseline(path: str | Path, student: str | None = None) -> Baseline:
    """The baseline at `path`: a run directory, or a file of `write_baseline`.

    Args:
        path: directory of a finished run, a baseline file, or a directory with `BASELINE_FILE`.
        student: which of its students is the baseline.

    Raises:
        RunError: it cannot be read.
        UsageError: it has no student of that name.
    """
    path = Path(path)
    if (path / BASELINE_FILE).is_file() and not (path / "run.json").exists():
        path = path / BASELINE_FILE
    baseline = baseline_of(RunDirectory.open(path)) if path.is_dir() else _read(path)
    if student is None:
        return baseline
    if student not in baseline.students:
        hint = nearest(student, baseline.students)
        raise UsageError(f"{path}: the baseline has no student {student!r}; {hint}")
    return replace(baseline, student=student)


def write_baseline(path: str | Path, run: RunDirectory) -> Baseline:
    """The baseline of `run`, written to the file `path`, whole or not at all; no text in it."""
    path = Path(path)
    baseline = baseline_of(run)
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(
        json.dumps(asdict(baseline), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        + "\n",
        encoding="utf-8",
    )
    partial.replace(path)
    return baseline


def baseline_of(run: RunDirectory) -> Baseline:
    """Every student's scores of `run`."""
    pairs = run.pairs(["suite", "sample_id", "student", "metric", "student_score"])
    samples = run.samples(["suite", "sample_id", "content_hash"])
    pairs = pairs[pairs["student_score"].notna()].merge(samples, on=["suite", "sample_id"])
    suites: dict[str, dict[str, dict[str, BaselineScores]]] = {}
    keys = ["suite", "metric", "student"]
    for (suite, metric, student), rows in pairs.groupby(keys, sort=False, observed=True):
        suites.setdefault(str(suite), {}).setdefault(str(metric), {})[str(student)] = (
            BaselineScores(
                ids=tuple(rows["sample_id"].astype(str)),
                content_hashes=tuple(short_hash(value) for value in rows["content_hash"]),
                scores=tuple(float(value) for value in rows["student_score"]),
            )
        )
    return Baseline(name=run.manifest.name, header=run.manifest.header, suites=suites)


def short_hash(content_hash: str) -> str:
    """As much of a content hash as a baseline file keeps."""
    return str(content_hash)[:_HASH_LENGTH]


def pair(baseline: BaselineScores, ids: Sequence[str], hashes: Sequence[str]) -> BaselinePairing:
    """The samples `ids`, with content `hashes`, that `baseline` scored in the same words."""
    known = {
        sample: (content, score)
        for sample, content, score in zip(
            baseline.ids, baseline.content_hashes, baseline.scores, strict=True
        )
    }
    rows: list[int] = []
    scores: list[float] = []
    changed = absent = 0
    for row, (sample, content) in enumerate(zip(ids, hashes, strict=True)):
        found = known.get(str(sample))
        if found is None:
            absent += 1
        elif found[0] != short_hash(content):
            changed += 1
        else:
            rows.append(row)
            scores.append(found[1])
    return BaselinePairing(
        rows=np.asarray(rows, dtype=np.int64),
        scores=np.asarray(scores, dtype=np.float64),
        changed=changed,
        absent=absent,
    )


def _read(path: Path) -> Baseline:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path}: no such baseline file or run directory") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} is no baseline file ({error})") from error
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind != KIND:
        raise RunError(f"{path} is no baseline file: its kind is {kind!r}, not {KIND!r}")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise RunError(
            f"{path}: schema version {data.get('schema_version')!r}, but this kdeval reads "
            f"{SCHEMA_VERSION}; write the baseline again from its run"
        )
    try:
        baseline = TypeAdapter(Baseline).validate_python(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise RunError(f"{path} is a damaged baseline file: {where}: {problem['msg']}") from error
    for scores in _every_scores(baseline):
        if not len(scores.ids) == len(scores.content_hashes) == len(scores.scores):
            raise RunError(f"{path} is a damaged baseline file: its columns differ in length")
        if not np.isfinite(scores.scores).all():
            raise RunError(f"{path} is a damaged baseline file: a score is not finite")
    return baseline


def _every_scores(baseline: Baseline) -> Iterator[BaselineScores]:
    for metrics in baseline.suites.values():
        for students in metrics.values():
            yield from students.values()
