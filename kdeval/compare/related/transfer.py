"""What of a benchmark's result holds in production: the gap, and whether the ranking survives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from kdeval.compare.comparison import Comparison
from kdeval.compare.figures.transfer import RankChange, Transfer, TransferGap
from kdeval.compare.related.sheet import ScoreSheet
from kdeval.records import Metric
from kdeval.stats.interval import Interval
from kdeval.stats.means.independent import difference_of_independent
from kdeval.stats.means.simultaneous import signs_shown
from kdeval.store.run_directory import SuiteEntry

__all__ = ["transfers"]


def transfers(
    suites: Sequence[SuiteEntry],
    *,
    sheets: Iterable[ScoreSheet],
    students: Sequence[Comparison],
    rivals: Sequence[str],
    metrics: Mapping[str, Metric],
    confidence: float,
) -> tuple[Transfer, ...]:
    """Every benchmark suite with every production suite that shares a metric with it.

    Args:
        suites: of the run, with their roles.
        sheets: one a suite and metric.
        students: each compared with the teacher.
        rivals: names of those that are ranked.
        metrics: those that are a mean of samples' scores count.
        confidence: of each interval, and of all claims on the ranking together.
    """
    by_place = {(sheet.suite, sheet.metric): sheet for sheet in sheets}
    found = []
    for benchmark in (suite for suite in suites if suite.role == "benchmark"):
        for production in (suite for suite in suites if suite.role == "production"):
            for name in benchmark.metrics:
                both = (by_place.get((benchmark.name, name)), by_place.get((production.name, name)))
                if both[0] is None or both[1] is None or metrics[name].aggregation != "mean":
                    continue
                found.append(_transfer(both[0], both[1], students, rivals, confidence))
    return tuple(found)


def _transfer(
    benchmark: ScoreSheet,
    production: ScoreSheet,
    students: Sequence[Comparison],
    rivals: Sequence[str],
    confidence: float,
) -> Transfer:
    names = [name for name in rivals if name in benchmark.scores and name in production.scores]
    ranking = _ranking(benchmark, production, names, confidence)
    return Transfer(
        benchmark=benchmark.suite,
        production=production.suite,
        metric=benchmark.metric,
        gaps=tuple(_gaps(benchmark, production, students)),
        ranking=ranking,
        kendall=_kendall(ranking, confidence) if len(names) > 2 else None,
        shared=len(set(benchmark.hashes) & set(production.hashes)),
    )


def _gaps(
    benchmark: ScoreSheet, production: ScoreSheet, students: Sequence[Comparison]
) -> Iterator[TransferGap]:
    for student in students:
        here = student.cell(suite=benchmark.suite, metric=benchmark.metric)
        there = student.cell(suite=production.suite, metric=production.metric)
        if here is not None and there is not None:
            yield TransferGap(
                student=student.student,
                benchmark=here.difference,
                production=there.difference,
                gap=difference_of_independent(there.difference, here.difference),
                benchmark_retention=here.retention,
                production_retention=there.retention,
            )


def _ranking(
    benchmark: ScoreSheet, production: ScoreSheet, names: Sequence[str], confidence: float
) -> tuple[RankChange, ...]:
    couples = list(combinations(names, 2))
    quantities = [
        partial(sheet.difference, first, second)
        for sheet in (benchmark, production)
        for first, second in couples
    ]
    signs = signs_shown(quantities, confidence=confidence)
    here, there = signs[: len(couples)], signs[len(couples) :]
    return tuple(
        RankChange(
            first=first,
            second=second,
            benchmark=benchmark.difference(first, second, confidence),
            production=production.difference(first, second, confidence),
            verdict=(
                "not separated" if not before * after else "kept" if before == after else "reversed"
            ),
        )
        for (first, second), before, after in zip(couples, here, there, strict=True)
    )


def _kendall(ranking: Sequence[RankChange], confidence: float) -> Interval:
    """Kendall's tau: pairs in the same order minus pairs in the other one, over all pairs."""
    total = len(ranking)
    orders = [
        np.sign((item.benchmark.estimate or 0.0) * (item.production.estimate or 0.0))
        for item in ranking
    ]
    kept = sum(item.verdict == "kept" for item in ranking)
    turned = sum(item.verdict == "reversed" for item in ranking)
    return Interval(
        estimate=float(sum(orders)) / total,
        low=(kept - (total - kept)) / total,
        high=((total - turned) - turned) / total,
        confidence=confidence,
        method="every pair that is not separated counted either way",
        n=total,
        clusters=None,
    )
