"""The transfer gap: what a student loses in production beyond what it loses on a benchmark."""

from __future__ import annotations

from dataclasses import replace

from kdeval.compare.comparison import ALL
from kdeval.compare.selection import Selection, selection_of
from kdeval.errors import ConfigError
from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.resolve import Target
from kdeval.stats.interval import one_sided
from kdeval.stats.means.independent import difference_of_independent
from kdeval.stats.means.paired import paired_difference

__all__ = ["measure_transfer_gap"]


def measure_transfer_gap(judged: Judged, target: Target, level: float) -> Measurement:
    """Student minus teacher on the rule's production suite, minus the same on the benchmark.

    Its n is that of the smaller suite, so that a large benchmark does not stand in for traffic
    that was not looked at; what is missing is judged on the suite that lacks most.
    """
    benchmark = _benchmark(judged, target)
    here, there = (
        _selection(judged, target, suite, name)
        for suite, name in ((benchmark, ALL), (str(target.suite), str(target.slice)))
    )
    limits = None if target.metric is None else (target.metric.low, target.metric.high)
    gap = difference_of_independent(
        *(
            paired_difference(
                side.teacher,
                side.student,
                clusters=side.clusters,
                confidence=one_sided(level),
                limits=limits,
            )
            for side in (there, here)
        )
    )
    parts = ((benchmark, here.n_missing, here.n), (str(target.suite), there.n_missing, there.n))
    return Measurement(
        interval=replace(gap, n=min(here.n, there.n)),
        margins=None,
        clusters=None,
        left_out=here.n_missing + there.n_missing,
        thinnest=max(parts, key=lambda part: part[1] / (part[1] + part[2]) if part[1] else 0.0),
        remarks=(f"against the benchmark {benchmark}",),
    )


def _benchmark(judged: Judged, target: Target) -> str:
    suites = judged.run.manifest.suites
    own = next(suite for suite in suites if suite.name == target.suite)
    if own.role != "production":
        raise ConfigError(
            f"{target.place}: {own.name!r} is no production suite: name one that says "
            "role: production"
        )
    if target.metric is not None and target.metric.aggregation != "mean":
        raise ConfigError(
            f"{target.place}: {target.score!r} is no mean over samples, so it has no transfer gap"
        )
    found = [s.name for s in suites if s.role == "benchmark" and target.score in s.metrics]
    if len(found) != 1:
        raise ConfigError(
            f"{target.place}: needs one suite that says role: benchmark with the score "
            f"{target.score!r}; the run has {', '.join(found) or 'none'}"
        )
    return found[0]


def _selection(judged: Judged, target: Target, suite: str, slice: str) -> Selection:
    table = judged.tables.get((judged.student, suite, str(target.score)))
    if table is None:
        raise ConfigError(f"{target.place}: {judged.student!r} has no scores on {suite!r}")
    return selection_of(table, slice)
