"""A run on disk: `run.json` (the manifest), the prediction store, and the scored pairs.

run.json             what was run, by what, how it ended; written last, whole or not at all
predictions.sqlite   every response, keyed by content: what makes a run resumable
samples.parquet      what was asked (text), one row a sample
pairs.parquet        scored pairs, one row a (sample, student, metric)
latency.parquet      the latency probe's single measurements, when one was made
looks.json           of a run that asks until a policy is decided: its plan and its looks
members.parquet      what the members of ensembles answered, when there are ensembles
tokens.parquet       language models compared token by token, when that was asked for
texts.parquet        the texts they were compared on, and the bits that each spends on them
hidden_*.parquet     open models compared layer by layer, when that was asked for
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from kdeval.errors import RunError
from kdeval.records import Metric, RunHeader
from kdeval.store.hidden import HiddenTables
from kdeval.store.looks import LOOKS_FILE, Looks, read_looks
from kdeval.store.members import MEMBERS_FILE
from kdeval.store.pairs import read_columns, read_parts, read_table
from kdeval.store.tokens import TEXTS_FILE, TOKENS_FILE, read_settings

__all__ = [
    "SCHEMA_VERSION",
    "BenchmarkEntry",
    "BenchmarkTask",
    "ModelEntry",
    "RunDirectory",
    "RunManifest",
    "SeriesEntry",
    "SuiteEntry",
    "TokenTables",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of a run.

    Attributes:
        type: the config's `type`.
        options: the config's other settings, secrets removed.
        requests: what was asked of it in all, store included.
        errors: how many of those ended in a recorded error.
        parameters: number of weights, where the adapter knows.
        bytes_on_disk: size of its weight files, where the adapter knows.
        peak_memory_bytes: the most memory that weights and work took in this run; None where the
            adapter cannot tell, or nothing was asked. Of several workers, that which took the most.
        workers: how many processes elsewhere gave this run's answers; None: the run's own did.
        price: the config's price of it, or None: unknown.
        price_source: where the recorded costs of its answers are from, where the adapter priced
            them: a price map with its digest, or the config.
        notes: what a reader should know of how it computed its answers.
    """

    name: str
    type: str
    fingerprint: str
    options: Mapping[str, Any] = field(default_factory=dict)
    requests: int = 0
    errors: int = 0
    parameters: int | None = None
    bytes_on_disk: int | None = None
    device: str | None = None
    dtype: str | None = None
    peak_memory_bytes: int | None = None
    workers: int | None = None
    price: Mapping[str, float] | None = None
    price_source: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTask:
    """One task of a benchmark, as it was run.

    Attributes:
        version: the task's own, as text.
        num_fewshot: examples in each prompt.
        documents: how many were asked.
        documents_in_all: how many the task has.
    """

    version: str | None
    num_fewshot: int
    documents: int
    documents_in_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkEntry:
    """By what a suite was run that is no suite file.

    Attributes:
        harness: "lm-eval".
        version: of the harness.
        settings: what the configuration says of it beside the tasks' names.
        tasks: by name.
    """

    harness: str
    version: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, BenchmarkTask]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteEntry:
    """One suite of a run, after sampling.

    Attributes:
        clustered: samples have clusters.
        distinct_prompts: how many prompts the samples ask, where the suite names no cluster and
            samples of one prompt are therefore one; None otherwise.
        benchmark: by what it was run, where that is no suite file.
        notes: what a reader must know of it, a line each.
    """

    name: str
    kind: str
    fingerprint: str
    samples: int
    metrics: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    slice_keys: tuple[str, ...] = ()
    clustered: bool = False
    distinct_prompts: int | None = None
    tasks: tuple[str, ...] = ()
    role: Literal["benchmark", "production"] | None = None
    benchmark: BenchmarkEntry | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesEntry:
    """Models of the run in an order that means something, as configured.

    Attributes:
        steps: training step of each checkpoint, where configured.
    """

    name: str
    kind: Literal["checkpoints", "chain", "ladder", "labels"]
    members: tuple[str, ...]
    steps: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What `run.json` holds.

    Attributes:
        look: of a run that asks until a policy is decided: which look (from 1) these samples are;
            None for any other run.
    """

    name: str
    header: RunHeader
    confidence: float
    teacher: ModelEntry
    students: tuple[ModelEntry, ...]
    suites: tuple[SuiteEntry, ...]
    metrics: Mapping[str, Metric]
    pairs: int
    limit: int | None = None
    look: int | None = None
    distillation_temperature: float = 2.0
    series: tuple[SeriesEntry, ...] = ()
    schema_version: int = SCHEMA_VERSION
    kind: str = "kdeval.run"

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """Teacher first, then the students in the config's order."""
        return (self.teacher, *self.students)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTables:
    """Language models compared token by token; columns as in `kdeval.store.tokens`.

    Attributes:
        settings: "text" (teacher_output or reference), "temperature", and what they were made of.
    """

    settings: Mapping[str, Any]
    tokens: pd.DataFrame
    texts: pd.DataFrame


class RunDirectory:
    """A finished run, opened for reading.

    Nothing but the manifest is read until it is asked for.
    """

    def __init__(self, path: Path, manifest: RunManifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """The run at `path`.

        Raises:
            RunError: no run there, an unfinished one, or one of another schema version.
        """
        path = Path(path)
        file = path / "run.json"
        if not path.is_dir():
            raise RunError(f"{path} is not a directory: give the directory that `kdeval run` wrote")
        if not file.exists():
            hint = (
                "the run did not finish: run the same `kdeval run` again, it goes on where it was"
                if (path / "predictions.sqlite").exists()
                else "this is no run directory: give the one that `kdeval run` wrote"
            )
            raise RunError(f"{file} is missing: {hint}")
        return cls(path, _read_manifest(file))

    def samples(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Columns of `kdeval.store.pairs.SAMPLES_SCHEMA`; one row a sample, in order."""
        return read_table(self.path / "samples.parquet", columns)

    def pairs(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Columns of `kdeval.store.pairs.PAIRS_SCHEMA`; one row a (sample, student, metric)."""
        return read_table(self.path / "pairs.parquet", columns)

    def pair_table(self, columns: list[str]) -> pa.Table:
        """Those of the columns that the run has, as Arrow keeps them."""
        return read_columns(self.path / "pairs.parquet", columns)

    def pair_tables(self, columns: list[str]) -> Iterator[pa.Table]:
        """The same table part by part, in order, so that memory holds one part."""
        return read_parts(self.path / "pairs.parquet", columns)

    def members(self) -> pd.DataFrame | None:
        """Columns of `kdeval.store.members`; None when the run has no ensemble."""
        file = self.path / MEMBERS_FILE
        return read_table(file) if file.exists() else None

    def latencies(self) -> pd.DataFrame | None:
        """Columns round (int), model (str), seconds (float); None when no probe was made."""
        file = self.path / "latency.parquet"
        return read_table(file) if file.exists() else None

    def looks(self) -> Looks | None:
        """The looks that this run is one of; None for a run whose samples were fixed beforehand.

        Raises:
            RunError: they are missing or damaged, so that no bound of the run would be honest.
        """
        if self.manifest.look is None:
            return None
        looks = read_looks(self.path)
        if looks is None or not 1 <= self.manifest.look <= looks.planned:
            raise RunError(
                f"{self.path} was asked until a policy was decided, but its {LOOKS_FILE} is "
                "missing or of another run: without it no bound is honest"
            )
        return looks

    def hidden(self) -> HiddenTables | None:
        """What open models made of the samples inside; None when that was not measured."""
        return HiddenTables.open(self.path)

    def tokens(self) -> TokenTables | None:
        """What was measured token by token; None when nothing was."""
        settings = read_settings(self.path)
        if settings is None:
            return None
        return TokenTables(
            settings=settings,
            tokens=read_table(self.path / TOKENS_FILE),
            texts=read_table(self.path / TEXTS_FILE),
        )


def write_manifest(path: Path, manifest: RunManifest) -> None:
    """Writes `run.json` into the directory `path`, whole or not at all."""
    file = path / "run.json"
    partial = file.with_name("run.json.partial")
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(file)


def _read_manifest(file: Path) -> RunManifest:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(
            f"{file} cannot be read ({error}); run the same `kdeval run` again to rewrite it"
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise RunError(
            f"{file}: schema version {version!r}, but this kdeval reads {SCHEMA_VERSION}; "
            "run it again with this version, or read it with the version in its header"
        )
    try:
        return _manifest_from(data)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{file} is not a manifest of this version ({error}); run `kdeval run` again"
        ) from error


def _manifest_from(data: dict[str, Any]) -> RunManifest:
    suites = tuple(
        SuiteEntry(
            **{
                **entry,
                "metrics": tuple(entry["metrics"]),
                "labels": None if entry["labels"] is None else tuple(entry["labels"]),
                "slice_keys": tuple(entry["slice_keys"]),
                "tasks": tuple(entry["tasks"]),
                "benchmark": _benchmark_from(entry.get("benchmark")),
                "notes": tuple(entry.get("notes", ())),
            }
        )
        for entry in data["suites"]
    )
    return RunManifest(
        **{
            **data,
            "header": RunHeader(**data["header"]),
            "teacher": _model_from(data["teacher"]),
            "students": tuple(_model_from(entry) for entry in data["students"]),
            "suites": suites,
            "series": tuple(_series_from(entry) for entry in data.get("series", ())),
            "metrics": {name: Metric(**entry) for name, entry in data["metrics"].items()},
        }
    )


def _benchmark_from(entry: dict[str, Any] | None) -> BenchmarkEntry | None:
    if entry is None:
        return None
    tasks = {name: BenchmarkTask(**task) for name, task in entry["tasks"].items()}
    return BenchmarkEntry(**{**entry, "tasks": tasks})


def _model_from(entry: dict[str, Any]) -> ModelEntry:
    return ModelEntry(**{**entry, "notes": tuple(entry.get("notes", ()))})


def _series_from(entry: dict[str, Any]) -> SeriesEntry:
    steps = entry["steps"]
    return SeriesEntry(
        **{
            **entry,
            "members": tuple(entry["members"]),
            "steps": None if steps is None else tuple(steps),
        }
    )
