"""Latency of teacher and student with intervals, from the probe or from recorded logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.stats.interval import Interval
from kdeval.stats.means.quantiles import paired_quantile_ratio, quantile
from kdeval.store.run_directory import RunDirectory

__all__ = ["QUANTILES", "LatencyFigures", "PairedLatencies", "latency_figures", "paired_latencies"]

QUANTILES: Mapping[str, float] = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyFigures:
    """Seconds a request; a ratio below 1 means that the student is faster.

    Attributes:
        source: "probe" (closed loop at batch 1, models interleaved) or "recorded" (told by logs).
        n: requests that both models answered.
        total: requests of the run, of which logs told the latency of n; None for a probe.
        teacher: "p50", "p90", "p99" to their interval.
        student: the same.
        ratio: student / teacher at the same quantiles.
    """

    source: Literal["probe", "recorded"]
    n: int
    teacher: Mapping[str, Interval]
    student: Mapping[str, Interval]
    ratio: Mapping[str, Interval]
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedLatencies:
    """Seconds of the same requests to both models, shapes (n,).

    Attributes:
        total: requests of the run, whether or not a latency was told; None for a probe.
    """

    source: Literal["probe", "recorded"]
    teacher: NDArray[np.float64]
    student: NDArray[np.float64]
    total: int | None = None


def latency_figures(
    run: RunDirectory, student: str, confidence: float, pairs: pd.DataFrame | None = None
) -> LatencyFigures | None:
    """Figures of `student` beside the teacher, or None when nothing was measured or recorded.

    The probe wins over recorded latencies, because it measured both models on one machine in
    turn. Times shared out of a batch are no latency and are never used.

    Args:
        run: the run.
        student: name of the student.
        confidence: two-sided confidence of each interval.
        pairs: the run's pairs with at least the columns suite, sample_id, student,
            teacher_latency_s and student_latency_s, where they are loaded already.
    """
    found = paired_latencies(run, student, pairs)
    return None if found is None else _figures(found, confidence)


def paired_latencies(
    run: RunDirectory, student: str, pairs: pd.DataFrame | None = None
) -> PairedLatencies | None:
    """What the figures are made of; arguments as for `latency_figures`."""
    probed = _from_probe(run, student)
    if probed is not None:
        return PairedLatencies(source="probe", teacher=probed[0], student=probed[1])
    return _from_pairs(run, student, pairs)


def _from_probe(
    run: RunDirectory, student: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    table = run.latencies()
    if table is None:
        return None
    wide = table.pivot(index="round", columns="model", values="seconds")
    teacher = run.manifest.teacher.name
    if teacher not in wide or student not in wide:
        return None
    both = wide[[teacher, student]].dropna()
    if both.empty:
        return None
    return both[teacher].to_numpy(dtype=float), both[student].to_numpy(dtype=float)


def _from_pairs(
    run: RunDirectory, student: str, pairs: pd.DataFrame | None
) -> PairedLatencies | None:
    columns = ["suite", "sample_id", "student", "teacher_latency_s", "student_latency_s"]
    table = run.pairs(columns) if pairs is None else pairs[columns]
    rows = table[table["student"] == student].drop_duplicates(["suite", "sample_id"])
    both = rows[["teacher_latency_s", "student_latency_s"]].dropna()
    if both.empty:
        return None
    return PairedLatencies(
        source="recorded",
        teacher=both["teacher_latency_s"].to_numpy(dtype=float),
        student=both["student_latency_s"].to_numpy(dtype=float),
        total=len(rows),
    )


def _figures(found: PairedLatencies, confidence: float) -> LatencyFigures:
    teacher, student = found.teacher, found.student
    return LatencyFigures(
        source=found.source,
        n=len(teacher),
        total=found.total,
        teacher={
            name: quantile(teacher, q, confidence=confidence) for name, q in QUANTILES.items()
        },
        student={
            name: quantile(student, q, confidence=confidence) for name, q in QUANTILES.items()
        },
        ratio={
            name: paired_quantile_ratio(
                student, teacher, q, confidence=confidence, rng=np.random.default_rng(0)
            )
            for name, q in QUANTILES.items()
        },
    )
