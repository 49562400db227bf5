"""What of a benchmark's result holds in production, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdeval.stats.interval import Interval

__all__ = ["RankChange", "Transfer", "TransferGap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferGap:
    """What one student loses to its teacher in production beyond what it loses on the benchmark.

    Attributes:
        benchmark: student's score minus teacher's on the benchmark.
        production: the same in production.
        gap: production minus benchmark; below zero (above, where less is better) the benchmark
            flatters the student.
        benchmark_retention: student's score over teacher's on the benchmark.
        production_retention: the same in production.
    """

    student: str
    benchmark: Interval
    production: Interval
    gap: Interval
    benchmark_retention: Interval
    production_retention: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RankChange:
    """Two students' order on the benchmark and in production.

    Attributes:
        benchmark: mean score of the first minus that of the second on the benchmark.
        production: the same in production.
        verdict: kept or reversed where both differences are shown, by Holm's procedure over all
            pairs and both suites; else not separated.
    """

    first: str
    second: str
    benchmark: Interval
    production: Interval
    verdict: Literal["kept", "reversed", "not separated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A benchmark suite beside a production suite by the same metric.

    Attributes:
        ranking: every two students; empty with one.
        kendall: Kendall's tau between the two rankings, with three students or more; its interval
            counts every pair that is not separated as kept and as reversed.
        shared: samples that ask the same in both suites: intervals take the two as independent.
    """

    benchmark: str
    production: str
    metric: str
    gaps: tuple[TransferGap, ...]
    ranking: tuple[RankChange, ...]
    kendall: Interval | None
    shared: int
