"""The models of a run as a report may name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdeval.store.run_directory import ModelEntry, RunDirectory

__all__ = ["ModelSummary", "comparable_memory", "model_summaries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model of the run, without the paths and options of the machine that ran it.

    Attributes:
        price: as configured, None when unknown.
        peak_memory_bytes: the most memory that its weights and its work took while it answered:
            what was allocated on a CUDA device, or resident memory of the process on a CPU. It
            grows with the batch and the longest request. None where the adapter cannot tell.
        from_store: requests whose answers were known from an earlier run, so that the peak is not
            of all of them.
        workers: how many processes elsewhere gave this run's answers; None: the run's own did.
        notes: what a reader should know of how it computed its answers.
    """

    name: str
    role: Literal["teacher", "student"]
    type: str
    fingerprint: str
    requests: int
    errors: int
    parameters: int | None
    bytes_on_disk: int | None
    device: str | None
    dtype: str | None
    price: Mapping[str, float] | None
    peak_memory_bytes: int | None = None
    from_store: int = 0
    workers: int | None = None
    notes: tuple[str, ...] = ()


def model_summaries(run: RunDirectory) -> tuple[ModelSummary, ...]:
    """Of every model of `run`, teacher first."""
    return tuple(
        _summary(entry, "student" if index else "teacher", stored)
        for index, (entry, stored) in enumerate(
            zip(run.manifest.models, _from_store(run), strict=True)
        )
    )


def comparable_memory(teacher: ModelSummary, student: ModelSummary) -> str | None:
    """Why the peaks of the two cannot be set against each other; None where they can."""
    devices = [(model.device or "").partition(":")[0] for model in (teacher, student)]
    if devices[0] != devices[1]:
        return "measured on different kinds of device, which count different memory"
    if devices[0] != "cuda":
        return "in one process a model may work in memory that another has left"
    stored = [model.name for model in (teacher, student) if model.from_store]
    if stored:
        return (
            f"part of the answers of {' and '.join(stored)} came from an earlier run: the peak is "
            "of the rest, and perhaps of smaller batches"
        )
    return None


def _from_store(run: RunDirectory) -> list[int]:
    """Requests of each model that an earlier run had asked, teacher first."""
    keys = ["suite", "sample_id"]
    rows = run.pairs([*keys, "student", "teacher_cached", "student_cached"])
    counts = [int(rows.loc[rows["teacher_cached"].eq(True), keys].drop_duplicates().shape[0])]
    for entry in run.manifest.students:
        own = rows[(rows["student"] == entry.name) & rows["student_cached"].eq(True)]
        counts.append(int(own[keys].drop_duplicates().shape[0]))
    return counts


def _summary(
    entry: ModelEntry, role: Literal["teacher", "student"], from_store: int
) -> ModelSummary:
    return ModelSummary(
        name=entry.name,
        role=role,
        type=entry.type,
        fingerprint=entry.fingerprint,
        requests=entry.requests,
        errors=entry.errors,
        parameters=entry.parameters,
        bytes_on_disk=entry.bytes_on_disk,
        device=entry.device,
        dtype=entry.dtype,
        price=entry.price,
        peak_memory_bytes=entry.peak_memory_bytes,
        from_store=from_store,
        workers=entry.workers,
        notes=entry.notes,
    )
