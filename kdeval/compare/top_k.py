"""Bounds on divergences from the likeliest tokens alone, where no model tells the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.compare.pair_table import PairTable
from kdeval.stats.fidelity.top_k import TopKBounds, top_k_bounds
from kdeval.stats.interval import Interval
from kdeval.stats.means.per_unit import per_unit
from kdeval.store.run_directory import RunDirectory

__all__ = ["TopK", "top_k_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """What both lists of likeliest tokens prove on average, at temperature 1.

    Every bound is an estimate of a mean bound: its own interval says how well that is known.

    Attributes:
        n: samples with lists of both.
        known: mean share of the teacher's probability on tokens in both lists.
        kl_low: KL(teacher ‖ student) is at least this, in nats; nothing bounds it from above.
        js_low: Jensen-Shannon is at least this, in bits.
        js_high: and at most this.
        tv_low: total variation is at least this.
        tv_high: and at most this.
    """

    suite: str
    n: int
    known: float
    kl_low: Interval
    js_low: Interval
    js_high: Interval
    tv_low: Interval
    tv_high: Interval


def top_k_of(
    run: RunDirectory, tables: Mapping[tuple[str, str, str], PairTable], confidence: float
) -> Mapping[tuple[str, str], TopK]:
    """(student, suite) to bounds; only where both models gave lists of their likeliest tokens.

    Args:
        run: a finished run; the lists are read from it.
        tables: its pairs.
        confidence: two-sided, of every interval.
    """
    lists = ["teacher_top_log_probs", "student_top_log_probs"]
    read = run.pair_table(["suite", "sample_id", "student", "metric", *lists])
    for name in lists:
        if name not in read.column_names:
            return {}
        read = read.filter(read.column(name).is_valid())
    found: dict[tuple[str, str], TopK] = {}
    keys = ["student", "suite", "metric"]
    for (student, suite, metric), rows in read.to_pandas().groupby(keys, observed=True, sort=False):
        key = (str(student), str(suite))
        table = tables.get((*key, str(metric)))
        if key not in found and table is not None:
            found[key] = _bounds(str(suite), rows, table, confidence)
    return found


def _bounds(suite: str, rows: pd.DataFrame, table: PairTable, confidence: float) -> TopK:
    bounds = [
        top_k_bounds(dict(teacher), dict(student))
        for teacher, student in zip(
            rows["teacher_top_log_probs"], rows["student_top_log_probs"], strict=True
        )
    ]
    clusters = None
    if table.clusters is not None:
        place = {str(sample): code for sample, code in zip(table.ids, table.clusters, strict=True)}
        clusters = np.array([place[str(sample)] for sample in rows["sample_id"]], dtype=np.int64)
    return TopK(
        suite=suite,
        n=len(bounds),
        known=float(np.mean([1 - item.teacher_rest for item in bounds])),
        kl_low=_mean(bounds, "kl_low", clusters, confidence, None),
        js_low=_mean(bounds, "js_low", clusters, confidence, 1.0),
        js_high=_mean(bounds, "js_high", clusters, confidence, 1.0),
        tv_low=_mean(bounds, "tv_low", clusters, confidence, 1.0),
        tv_high=_mean(bounds, "tv_high", clusters, confidence, 1.0),
    )


def _mean(
    bounds: list[TopKBounds],
    name: str,
    clusters: NDArray[np.int64] | None,
    confidence: float,
    high: float | None,
) -> Interval:
    values = np.array([getattr(item, name) for item in bounds], dtype=np.float64)
    ones = np.ones_like(values)
    found = per_unit(values, ones, clusters=clusters, confidence=confidence, low=0.0, high=high)
    return replace(found, method=f"mean bound, {found.method}")
