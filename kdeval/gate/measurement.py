"""A rule's figure on a run, and what it is taken from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdeval.compare.comparison import Comparison
from kdeval.compare.selection import PairTable, load_pairs
from kdeval.gate.baseline import Baseline
from kdeval.stats.interval import Interval
from kdeval.stats.means.macro import TaskScores
from kdeval.store.run_directory import RunDirectory

__all__ = ["FloatArray", "IntArray", "Judged", "Measurement"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is being judged.

    Attributes:
        tables: the run's pairs, read once for all rules.
    """

    run: RunDirectory
    comparison: Comparison
    baseline: Baseline | None
    tables: Mapping[tuple[str, str, str], PairTable]

    @classmethod
    def from_run(
        cls, run: RunDirectory, comparison: Comparison, baseline: Baseline | None
    ) -> Judged:
        """`run` with its pairs read."""
        return cls(run=run, comparison=comparison, baseline=baseline, tables=load_pairs(run))

    @property
    def student(self) -> str:
        """Name of the student."""
        return self.comparison.student


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A rule's figure on the run.

    Attributes:
        interval: two-sided at 2L - 1, so that its ends are the one-sided bounds at L.
        margins: per sample, by how much it speaks for a pass; the rule holds where their mean is
            above 0. None where the figure is no mean.
        clusters: codes of the margins, None when every sample is its own unit.
        left_out: samples that do not count.
        floor: the fewest samples that can pass, where that is known.
        exact: the figure has no sampling error: it is compared as it stands.
        thinnest: of averages over tasks: the task with the largest share of samples left out, as
            its name, the samples left out and those that count.
        scores: of teacher and student, where the figure is their ratio.
        chance: score of guessing that is taken off `scores`.
        tasks: what is averaged, where the figure is an average over tasks.
        widening: how many times as wide as an asymptotic bound a strict one is.
        remarks: what the reader of the evidence must know besides.
    """

    interval: Interval
    margins: FloatArray | None
    clusters: IntArray | None
    left_out: int = 0
    floor: int | None = None
    exact: bool = False
    remarks: tuple[str, ...] = ()
    scores: tuple[FloatArray, FloatArray] | None = None
    thinnest: tuple[str, int, int] | None = None
    chance: float = 0.0
    tasks: tuple[TaskScores, ...] = ()
    widening: float = 1.0

    @property
    def share_missing(self) -> float:
        """Part of the samples that does not count: of all, or of the task that lacks most."""
        if self.thinnest is not None:
            _, left_out, n = self.thinnest
            return left_out / (left_out + n) if left_out else 0.0
        total = self.interval.n + self.left_out
        return self.left_out / total if total else 0.0
