"""Suites that come to a run with their scores, marked by another harness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kdeval.records import Metric, Sample, ScoredPair
from kdeval.store.run_directory import SuiteEntry

__all__ = ["ScoredSuite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSuite:
    """A suite whose answers are marked already, beside those that kdeval's scorers mark.

    Attributes:
        entry: what the manifest says of it.
        metrics: of its scores, in the order of the entry's.
        samples: in order.
        pairs: makes the scored pairs, for each student and metric in the samples' order.
    """

    entry: SuiteEntry
    metrics: tuple[Metric, ...]
    samples: tuple[Sample, ...]
    pairs: Callable[[], Iterator[ScoredPair]]
