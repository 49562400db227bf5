"""Small runs written by hand: two easy-to-tell tasks, and words that are hard for a student."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
from kdeval.routing.guarantee import FitSettings
from kdeval.store.pairs import write_pairs, write_samples
from kdeval.store.run_directory import (
    ModelEntry,
    RunDirectory,
    RunManifest,
    SuiteEntry,
    write_manifest,
)

WEATHER = """sun rain wind snow storm cloud frost heat fog sky cold warm dry wet"""
COOKING = """bake fry boil oven salt pepper flour butter sugar pan roast stir dough soup"""
WORDS = {"weather": WEATHER.split(), "cooking": COOKING.split()}
COMMON = """please tell me what is the best how much today now and for with a"""
HARD = {"weather": "storm", "cooking": "dough"}

Row = dict[str, Any]


def make_rows(n: int, seed: int = 0, tasks: Sequence[str] = ("weather", "cooking")) -> list[Row]:
    """The teacher is nearly always right; "small" fails on hard words, "tiny" on cooking."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for index in range(n):
        task = str(rng.choice(tasks))
        words = [*rng.choice(WORDS[task], 4), *rng.choice(COMMON.split(), 4)]
        rng.shuffle(words)
        hard = HARD[task] in words
        rows.append(
            {
                "id": f"s{index}",
                "text": " ".join(words) + f" {index}",
                "task": task,
                "teacher": bool(rng.random() < 0.97),
                "students": {
                    "small": bool(rng.random() < (0.15 if hard else 0.995)),
                    "tiny": bool(rng.random() < (0.995 if task == "weather" else 0.3)),
                },
            }
        )
    return rows


def _prediction(sample: Sample, model: str) -> Prediction:
    return Prediction(
        sample_id=sample.id,
        response_keys=(f"{model}-{sample.id}",),
        model_fingerprint=model,
        response=Response(output="x"),
    )


def _score(metric: str, value: float | None) -> Score:
    return Score(
        scorer=metric,
        value=None if value is None else float(value),
        reason="no answer" if value is None else None,
    )


def _pairs(samples: Sequence[Sample], rows: Sequence[Row], metric: str) -> Iterator[ScoredPair]:
    for sample, row in zip(samples, rows, strict=True):
        for student, right in row["students"].items():
            yield ScoredPair(
                sample=sample,
                student=student,
                teacher_prediction=_prediction(sample, "big"),
                student_prediction=_prediction(sample, student),
                teacher_score=_score(metric, row["teacher"]),
                student_score=_score(metric, right),
            )


def _entry(name: str, prices: Mapping[str, float]) -> ModelEntry:
    return ModelEntry(
        name=name,
        type="echo",
        fingerprint=hashlib.sha256(name.encode()).hexdigest(),
        price={"usd_per_request": prices[name]} if name in prices else None,
    )


def write_run(
    path: Path,
    rows: Sequence[Row],
    *,
    prices: Mapping[str, float] | None = None,
    metric: Metric | None = None,
) -> RunDirectory:
    """A finished run of the teacher "big" and the students named in the rows."""
    path.mkdir(parents=True)
    metric = metric or Metric(name="label")
    samples = [
        Sample(
            id=row["id"],
            suite="chat",
            task=row["task"],
            kind="classification",
            input=row["text"],
            cluster=row.get("cluster"),
            tools=row.get("tools", ()),
            response_schema=row.get("response_schema"),
            content_hash=hashlib.sha256(row["text"].encode()).hexdigest(),
        )
        for row in rows
    ]
    students = list(rows[0]["students"])
    write_samples(path / "samples.parquet", samples)
    count = write_pairs(path / "pairs.parquet", _pairs(samples, rows, metric.name))
    suite = SuiteEntry(
        name="chat",
        kind="classification",
        fingerprint="c" * 64,
        samples=len(rows),
        metrics=(metric.name,),
    )
    header = RunHeader(
        created="2026-01-01T00:00:00Z",
        kdeval="0.1.0",
        versions={},
        git_revision=None,
        seed=0,
        models={},
        suites={"chat": suite.fingerprint},
        hardware={},
    )
    manifest = RunManifest(
        name=path.name,
        header=header,
        confidence=0.95,
        teacher=_entry("big", prices or {}),
        students=tuple(_entry(name, prices or {}) for name in students),
        suites=(suite,),
        metrics={metric.name: metric},
        pairs=count,
    )
    write_manifest(path, manifest)
    return RunDirectory.open(path)


@pytest.fixture(scope="session")
def rows() -> Callable[..., list[Row]]:
    """`make_rows`."""
    return make_rows


@pytest.fixture(scope="session")
def run_of() -> Callable[..., RunDirectory]:
    """`write_run`."""
    return write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """2,400 samples of two tasks, two students, known prices."""
    prices = {"big": 0.01, "small": 0.002, "tiny": 0.0005}
    return write_run(tmp_path_factory.mktemp("runs") / "chat", make_rows(2_400), prices=prices)


@pytest.fixture(scope="session")
def fitted(run: RunDirectory, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The router fitted on that run."""
    from kdeval.routing.fit import fit_router

    return fit_router(
        run, tmp_path_factory.mktemp("routers") / "router", FitSettings(max_drop=0.03)
    )
