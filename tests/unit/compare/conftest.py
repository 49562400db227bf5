"""Runs written by hand, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdeval.records import (
    Metric,
    Prediction,
    Response,
    RunHeader,
    Sample,
    Score,
    ScoredPair,
    Timing,
)
from kdeval.store.pairs import write_pairs, write_samples
from kdeval.store.run_directory import (
    ModelEntry,
    RunDirectory,
    RunManifest,
    SuiteEntry,
    write_manifest,
)

LABELS = ("no", "yes")


def _side(row: dict[str, Any], side: str, sample: Sample) -> tuple[Prediction, Score]:
    error, p = row.get(f"{side}_error"), row.get(f"{side}_p")
    output = row.get(side)
    seconds = row.get(f"{side}_s")
    response = Response(
        output=None if error else output,
        log_probs=None
        if p is None
        else {
            "yes": math.log(p) if p else -math.inf,
            "no": math.log(1 - p) if p < 1 else -math.inf,
        },
        cost_usd=row.get(f"{side}_usd"),
        input_tokens=row.get(f"{side}_input_tokens", row.get(f"{side}_tokens")),
        output_tokens=row.get(f"{side}_output_tokens", row.get(f"{side}_tokens")),
        truncated=row.get(f"{side}_truncated"),
        samples=row.get(f"{side}_samples"),
        top_log_probs=row.get(f"{side}_top"),
        confidence=row.get(f"{side}_confidence"),
        mean_log_prob=row.get(f"{side}_mean_log_prob"),
        timing=Timing(
            origin="recorded", total_s=seconds, first_token_s=row.get(f"{side}_first_token_s")
        ),
        error=error,
    )
    value = row.get(f"{side}_score")
    if value is None and not error and sample.reference is not None:
        value = float(output == sample.reference)
    prediction = Prediction(
        sample_id=sample.id, response_keys=(sample.id,), model_fingerprint=side, response=response
    )
    reason = None if value is not None else "nothing to mark"
    return prediction, Score(scorer="label", value=value, reason=reason)


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Writes a run of one suite from rows: ref, teacher, student, teacher_p, cluster, part, ..."""

    def write(
        rows: Sequence[dict[str, Any]],
        *,
        prices: dict[str, dict[str, float]] | None = None,
        labels: tuple[str, ...] | None = LABELS,
    ) -> RunDirectory:
        prices = prices or {}
        samples, pairs = [], []
        for index, row in enumerate(rows):
            sample = Sample(
                id=f"s{index}", suite="x", task="x",
                kind="classification" if labels else "generation",
                input=f"text {index}", reference=row.get("ref"), labels=labels,
                slices={"part": row["part"]} if "part" in row else {},
                cluster=row.get("cluster"), content_hash=f"{index:016x}",
            )  # fmt: skip
            teacher, student = (_side(row, side, sample) for side in ("teacher", "student"))
            samples.append(sample)
            pairs.append(
                ScoredPair(
                    sample=sample, student="student",
                    teacher_prediction=teacher[0], student_prediction=student[0],
                    teacher_score=teacher[1], student_score=student[1],
                )
            )  # fmt: skip
        write_samples(tmp_path / "samples.parquet", samples)
        write_pairs(tmp_path / "pairs.parquet", pairs)
        entries = [
            ModelEntry(
                name=side, type="recorded", fingerprint=side, requests=len(rows),
                errors=sum(bool(row.get(f"{side}_error")) for row in rows),
                price=prices.get(side),
            )
            for side in ("teacher", "student")
        ]  # fmt: skip
        manifest = RunManifest(
            name="by-hand",
            header=RunHeader(
                created="2026-01-01T00:00:00+00:00", kdeval="0", versions={}, git_revision=None,
                seed=0, models={}, suites={}, hardware={},
            ),
            confidence=0.95, teacher=entries[0], students=(entries[1],),
            suites=(
                SuiteEntry(
                    name="x", kind="classification" if labels else "generation", fingerprint="f",
                    samples=len(rows), metrics=("label",), labels=labels,
                    clustered=any("cluster" in row for row in rows),
                ),
            ),
            metrics={"label": Metric(name="label")}, pairs=len(pairs),
        )  # fmt: skip
        write_manifest(tmp_path, manifest)
        return RunDirectory.open(tmp_path)

    return write
