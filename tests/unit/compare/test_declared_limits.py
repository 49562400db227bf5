"""What a metric declares limits every interval of its scores, never what happened to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdeval.compare.related.sheet import ScoreSheet, score_sheet
from kdeval.compare.related.steps import score_of
from kdeval.compare.selection import PairTable, load_pairs, selection_of
from kdeval.compare.self_difference import against_itself
from kdeval.records import Metric

CELL = ("suite", "metric", "all")


@pytest.fixture
def tables(write_run: Any) -> dict[tuple[str, str, str], PairTable]:
    """Forty samples with scores of 0.4 on both sides."""
    row = {"ref": "yes", "teacher": "yes", "student": "yes"}
    rows = [{**row, "teacher_score": 0.4, "student_score": 0.4} for _ in range(40)]
    return dict(load_pairs(write_run(rows)))


def _metric(name: str, low: float | None, high: float | None) -> Metric:
    return Metric(name=name, low=low, high=high)


def _half(interval: Any) -> float:
    assert interval.estimate == 0
    return float(interval.high)


def test_a_floor_under_unbounded_scores_is_not_bounded(
    tables: dict[tuple[str, str, str], PairTable],
) -> None:
    """Forty equal answers bound a score of 0 to 1, one of 0 to 2 half as well, others never."""
    (table,) = tables.values()
    chosen = selection_of(table)

    def difference(low: float | None, high: float | None) -> Any:
        metric = _metric("m", low, high)
        return against_itself(chosen, CELL, metric, confidence=0.95, seed=0).difference

    assert _half(difference(0.0, 2.0)) == pytest.approx(2 * _half(difference(0.0, 1.0)))
    for low, high in ((None, None), (0.0, None)):
        unknown = difference(low, high)
        assert (unknown.low, unknown.high) == (None, None)
        assert "no known limits" in unknown.reason


def test_students_side_by_side_keep_to_the_limits(
    tables: dict[tuple[str, str, str], PairTable],
) -> None:
    """Differences, and scores, of all models of a run."""
    ((_, suite, name),) = tables
    rows = np.ones(40, dtype=bool)

    def sheet(high: float | None) -> ScoreSheet:
        found = score_sheet(tables, teacher="big", suite=suite, metric=_metric(name, 0.0, high))
        assert found is not None
        return found

    (student,) = set(sheet(1.0).scores) - {"big"}
    one, two = (sheet(high).difference(student, "big", 0.95) for high in (1.0, 2.0))
    assert _half(two) == pytest.approx(2 * _half(one))
    assert sheet(None).difference(student, "big", 0.95).high is None
    assert score_of(sheet(1.0), student, rows=rows, confidence=0.95).high is not None
    assert score_of(sheet(None), student, rows=rows, confidence=0.95).high is None
