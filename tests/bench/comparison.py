"""A full comparison of a million pairs with fifty slices, and a bootstrap of as many."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kdeval.records import Metric, RunHeader
from kdeval.store.pairs import PAIRS_SCHEMA, SAMPLES_SCHEMA
from kdeval.store.run_directory import ModelEntry, RunManifest, SuiteEntry, write_manifest
from tests.bench.process import measure

PAIRS = 1_000_000
LABELS = tuple(f"class {letter}" for letter in "abcd")
TAGS = ("domain", "language", "channel", "month", "customer")
VALUES = 10


def bench_comparison(directory: Path) -> None:
    """compare_run of 1,000,000 pairs with 50 slices, read from disk (at most 30 s and 3 GB)."""
    write_run(directory, PAIRS)
    print(f"  1,000,000 pairs       {measure([sys.executable, '-m', __name__, str(directory)])}")


def bench_bootstrap(directory: Path) -> None:
    """2,000 bootstrap resamples of macro-F1, 1,000,000 pairs, 20 classes (at most 5 s)."""
    from kdeval.stats.sets.bootstrap import paired_bootstrap

    rng = np.random.default_rng(0)
    references, teacher, student = answers(rng, PAIRS, 20)
    statistics = [np.stack([references, said], axis=1) for said in (teacher, student)]
    clusters = rng.integers(0, 100_000, PAIRS)
    for name, codes in (("independent", None), ("100,000 clusters", clusters)):
        start = time.perf_counter()
        found = paired_bootstrap("macro_f1", *statistics, clusters=codes, rng=rng, resamples=2000)
        ratio = found.ratio()
        print(
            f"  {name:20}  {time.perf_counter() - start:.2f} s   "
            f"retention {ratio.estimate:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"
        )


def answers(
    rng: np.random.Generator, n: int, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References, and answers of a teacher right on nine of ten and of a student beneath it."""
    references = rng.integers(0, classes, n)
    teacher = np.where(rng.random(n) < 0.9, references, rng.integers(0, classes, n))
    student = np.where(rng.random(n) < 0.93, teacher, rng.integers(0, classes, n))
    return references, teacher, student


def write_run(directory: Path, n: int) -> None:
    """A finished run: one suite, right or wrong labels with probabilities."""
    rng = np.random.default_rng(0)
    references, *said = answers(rng, n, len(LABELS))
    ids = pa.array([f"sample {index}" for index in range(n)])
    suite = _repeated("bench", n)
    tags = rng.integers(0, VALUES, (n, len(TAGS)))
    codes, rows = np.unique(tags, axis=0, return_inverse=True)
    texts = [json.dumps({t: f"value {v}" for t, v in zip(TAGS, row, strict=True)}) for row in codes]
    samples = {
        "suite": suite, "sample_id": ids, "task": suite,
        "kind": _repeated("classification", n), "text": ids,
        "reference": pa.array(np.array(LABELS)[references]), "content_hash": ids,
        "slices": pa.DictionaryArray.from_arrays(rows.astype(np.int32), texts),
        "labels": _repeated(json.dumps(LABELS), n),
        "reference_index": references.astype(np.int32),
    }  # fmt: skip
    pairs = {
        "suite": suite, "sample_id": ids, "student": _repeated("small", n),
        "metric": _repeated("label", n),
    }  # fmt: skip
    for side, answer in zip(("teacher", "student"), said, strict=True):
        pairs[f"{side}_output"] = pa.array(np.array(LABELS)[answer])
        pairs[f"{side}_score"] = (answer == references).astype(float)
        pairs[f"{side}_log_probs"] = _log_probs(rng, answer)
    _write(directory / "samples.parquet", SAMPLES_SCHEMA, samples, n)
    _write(directory / "pairs.parquet", PAIRS_SCHEMA, pairs, n)
    write_manifest(directory, _manifest(n))


def _log_probs(rng: np.random.Generator, answer: np.ndarray) -> pa.Array:
    logits = rng.normal(0, 1, (len(answer), len(LABELS)))
    logits[np.arange(len(answer)), answer] = logits.max(axis=1) + rng.exponential(2, len(answer))
    values = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return pa.ListArray.from_arrays(
        np.arange(0, values.size + 1, len(LABELS), dtype=np.int32), values.ravel()
    )


def _repeated(text: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), [text])


def _write(path: Path, schema: pa.Schema, columns: dict[str, object], n: int) -> None:
    arrays = [
        pa.array(columns[field.name], from_pandas=True).cast(field.type)
        if field.name in columns
        else pa.nulls(n, field.type)
        for field in schema
    ]
    pq.write_table(pa.table(arrays, schema=schema), path, row_group_size=100_000)


def _manifest(n: int) -> RunManifest:
    entries = [
        ModelEntry(name=name, type="recorded", fingerprint=name, requests=n)
        for name in ("big", "small")
    ]
    return RunManifest(
        name="bench",
        header=RunHeader(
            created="2026-01-01T00:00:00+00:00", kdeval="0", versions={}, git_revision=None,
            seed=0, models={}, suites={}, hardware={},
        ),
        confidence=0.95, teacher=entries[0], students=(entries[1],),
        suites=(
            SuiteEntry(
                name="bench", kind="classification", fingerprint="f", samples=n,
                metrics=("label",), labels=LABELS, slice_keys=TAGS, tasks=("bench",),
            ),
        ),
        metrics={"label": Metric(name="label")}, pairs=n,
    )  # fmt: skip


if __name__ == "__main__":
    from kdeval.compare.compute import compare_run
    from kdeval.store.run_directory import RunDirectory

    compared = compare_run(RunDirectory.open(sys.argv[1]))
    assert len(compared.students[0].cells) == 1 + len(TAGS) * VALUES
