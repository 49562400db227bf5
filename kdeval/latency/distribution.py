"""The distribution of latencies, thinned to what a curve needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdeval.latency.figures import paired_latencies
from kdeval.store.run_directory import RunDirectory

__all__ = ["LatencyDistribution", "latency_distribution"]

_MOST_POINTS = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyDistribution:
    """Order statistics of the same requests' seconds with both models.

    Attributes:
        n: requests that both models answered.
        levels: share of requests that took at most so long, rising, the last one 1.
        teacher: seconds at each level.
        student: the same.
    """

    source: Literal["probe", "recorded"]
    n: int
    levels: tuple[float, ...]
    teacher: tuple[float, ...]
    student: tuple[float, ...]


def latency_distribution(run: RunDirectory, student: str) -> LatencyDistribution | None:
    """Of `student` beside the teacher, or None when nothing was measured or recorded."""
    found = paired_latencies(run, student)
    if found is None:
        return None
    n = len(found.teacher)
    ranks = np.unique(np.linspace(1, n, min(n, _MOST_POINTS)).round().astype(np.int64))
    return LatencyDistribution(
        source=found.source,
        n=n,
        levels=tuple(float(rank) / n for rank in ranks),
        teacher=_at(found.teacher, ranks),
        student=_at(found.student, ranks),
    )


def _at(values: NDArray[np.float64], ranks: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.sort(values)[ranks - 1])
