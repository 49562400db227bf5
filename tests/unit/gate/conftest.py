"""Runs made by hand: scores in, a run directory out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kdeval.records import (
    Metric,
    Prediction,
    Response,
    RunHeader,
    Sample,
    Score,
    ScoredPair,
)
from kdeval.store.pairs import write_pairs, write_samples
from kdeval.store.run_directory import (
    ModelEntry,
    RunDirectory,
    RunManifest,
    SuiteEntry,
    write_manifest,
)

HEADER = RunHeader(
    created="2026-01-02T03:04:05Z",
    kdeval="0.1.0",
    versions={"numpy": "2.0"},
    git_revision="0123abc",
    seed=7,
    models={"big": "f" * 16, "small": "e" * 16},
    suites={"sentiment": "d" * 16},
    hardware={"processor": "test"},
    command="kdeval run kdeval.yaml",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteScores:
    """Scores of one suite by one metric; None is a recorded error."""

    teacher: Sequence[float | None]
    students: Mapping[str, Sequence[float | None]]
    name: str = "sentiment"
    metric: str = "exact"
    domains: Sequence[str] | None = None
    clusters: Sequence[str] | None = None
    texts: Sequence[str] | None = None
    outputs: Sequence[str] | None = None
    probabilities: tuple[float, float | Sequence[float]] | None = None

    @property
    def n(self) -> int:
        return len(self.teacher)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParts:
    """Everything else a run may have."""

    metric: Metric = field(default_factory=lambda: Metric(name="exact"))
    latencies: Mapping[str, Sequence[float]] | None = None
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    name: str = "demo"


def samples_of(suite: SuiteScores) -> list[Sample]:
    texts = suite.texts or [f"text {index}" for index in range(suite.n)]
    return [
        Sample(
            id=f"s{index}",
            suite=suite.name,
            task=suite.name,
            kind="classification",
            input=texts[index],
            reference="yes" if index % 2 else "no",
            labels=("no", "yes"),
            slices={"domain": suite.domains[index]} if suite.domains else {},
            cluster=suite.clusters[index] if suite.clusters else None,
            content_hash=f"{hash_of(texts[index])}{index:040d}"[:40],
        )
        for index in range(suite.n)
    ]


def hash_of(text: str) -> str:
    return "".join(f"{ord(letter):02x}" for letter in text[-8:])


def _prediction(
    sample: Sample, score: float | None, model: str, suite: SuiteScores, index: int, p: float | None
) -> Prediction:
    if score is None:
        response = Response(error="timed out")
    else:
        right = str(sample.reference)
        wrong = "yes" if right == "no" else "no"
        output = suite.outputs[index] if suite.outputs else (right if score else wrong)
        log_probs = (
            None if p is None else {right: log(p) if p > 1e-300 else -inf, wrong: log(1 - p)}
        )
        response = Response(output=output, log_probs=log_probs, confidence=p)
    return Prediction(
        sample_id=sample.id, response_keys=("k",), model_fingerprint=model, response=response
    )


def _score(metric: str, value: float | None) -> Score:
    return Score(scorer=metric, value=value, reason="timed out" if value is None else None)


def pairs_of(suite: SuiteScores, samples: Sequence[Sample]) -> Iterator[ScoredPair]:
    p, q = suite.probabilities or (None, None)
    for student, scores in suite.students.items():
        for index, sample in enumerate(samples):
            t, s = suite.teacher[index], scores[index]
            yield ScoredPair(
                sample=sample,
                student=student,
                teacher_prediction=_prediction(sample, t, "big", suite, index, p),
                student_prediction=_prediction(
                    sample, s, student, suite, index, q[index] if isinstance(q, Sequence) else q
                ),
                teacher_score=_score(suite.metric, t),
                student_score=_score(suite.metric, s),
            )


def write_run(path: Path, suites: Sequence[SuiteScores], parts: RunParts) -> RunDirectory:
    path.mkdir(parents=True)
    samples = {suite.name: samples_of(suite) for suite in suites}
    write_samples(path / "samples.parquet", [s for each in samples.values() for s in each])
    pairs = [pair for suite in suites for pair in pairs_of(suite, samples[suite.name])]
    write_pairs(path / "pairs.parquet", pairs)
    if parts.latencies is not None:
        rows = [
            {"round": index, "model": model, "seconds": float(value)}
            for model, values in parts.latencies.items()
            for index, value in enumerate(values)
        ]
        pd.DataFrame(rows).to_parquet(path / "latency.parquet")
    write_manifest(path, _manifest(suites, parts, len(pairs)))
    return RunDirectory.open(path)


def _manifest(suites: Sequence[SuiteScores], parts: RunParts, pairs: int) -> RunManifest:
    students = list(dict.fromkeys(name for suite in suites for name in suite.students))
    requests = sum(suite.n for suite in suites)
    errors = {
        name: sum(score is None for suite in suites for score in suite.students[name])
        for name in students
    }
    errors["big"] = sum(score is None for suite in suites for score in suite.teacher)
    entries = [
        ModelEntry(
            name=name,
            type="recorded",
            fingerprint=name * 4,
            requests=requests,
            errors=errors[name],
            price=parts.prices.get(name),
        )
        for name in ("big", *students)
    ]
    return RunManifest(
        name=parts.name,
        header=HEADER,
        confidence=0.95,
        teacher=entries[0],
        students=tuple(entries[1:]),
        suites=tuple(
            SuiteEntry(
                name=suite.name,
                kind="classification",
                fingerprint="d" * 16,
                samples=suite.n,
                metrics=(suite.metric,),
                labels=("no", "yes"),
                slice_keys=("domain",) if suite.domains else (),
                clustered=suite.clusters is not None,
                tasks=(suite.name,),
            )
            for suite in suites
        ),
        metrics={parts.metric.name: parts.metric},
        pairs=pairs,
    )


def flips(n: int, *, both: int, lost: int = 0, gained: int = 0) -> tuple[list[float], list[float]]:
    """Teacher and student scores of n samples with those counts; the rest both get wrong."""
    rest = n - both - lost - gained
    teacher = [1.0] * both + [1.0] * lost + [0.0] * gained + [0.0] * rest
    student = [1.0] * both + [0.0] * lost + [1.0] * gained + [0.0] * rest
    return teacher, student


MakeRun = Callable[..., RunDirectory]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(suite, ..., parts=RunParts())` writes a run and opens it."""
    count = 0

    def make(*suites: SuiteScores, parts: RunParts | None = None) -> RunDirectory:
        nonlocal count
        count += 1
        return write_run(tmp_path / f"run{count}", suites, parts or RunParts())

    return make


@pytest.fixture
def suite_scores() -> type[SuiteScores]:
    return SuiteScores


@pytest.fixture
def run_parts() -> type[RunParts]:
    return RunParts


@pytest.fixture
def flip_scores() -> Callable[..., tuple[list[float], list[float]]]:
    return flips


@pytest.fixture
def run_of(make_run: MakeRun) -> MakeRun:
    """A run of one student with those counts of both right, lost and gained."""

    def make(n: int, **counts: Any) -> RunDirectory:
        parts = counts.pop("parts", None)
        kinds = {key: counts.pop(key) for key in ("both", "lost", "gained") if key in counts}
        teacher, student = flips(n, **kinds)
        return make_run(
            SuiteScores(teacher=teacher, students={"small": student}, **counts), parts=parts
        )

    return make
