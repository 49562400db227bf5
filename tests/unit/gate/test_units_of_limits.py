"""Limits in points, percent and the units of a rating, and where figures can lie."""

from __future__ import annotations

from typing import Any

import pytest

from kdeval.errors import ConfigError
from kdeval.gate.baseline import load_baseline
from kdeval.records import Metric
from tests.unit.gate.judging import MakeRun, decide, only


@pytest.mark.parametrize("declared", [Metric(name="exact"), Metric(name="exact", high=None)])
@pytest.mark.parametrize("scores", [[1.0, 0.0], [0.25, 0.75]])
def test_points_written_as_a_whole_number_are_refused(
    make_run: MakeRun,
    suite_scores: type[Any],
    run_parts: type[Any],
    declared: Metric,
    scores: list[float],
) -> None:
    """A limit that every difference clears, or none, was meant as points."""
    suite = suite_scores(teacher=scores * 50, students={"small": scores * 50})
    run = make_run(suite, parts=run_parts(metric=declared))
    baseline = load_baseline(run.path)
    for metric in ("difference", "baseline_difference"):
        for limit, meant in ((-1, "-0.01 for 1 point, not -1"), (5, "0.05 for 5 points, not 5")):
            with pytest.raises(ConfigError) as caught:
                decide(run, {"metric": metric, "min": limit}, baseline=baseline)
            assert str(caught.value) == (
                f"rules.0 ({metric}): a difference of these scores lies between -1 and 1: "
                f"write {meant}"
            )
        allowed = decide(run, {"metric": metric, "min": -0.99}, baseline=baseline)
        assert allowed.verdict == ("inconclusive" if declared.high is None else "pass")


def test_a_limit_in_the_units_of_a_rating_is_fine(
    make_run: MakeRun, suite_scores: type[Any], run_parts: type[Any]
) -> None:
    """One step of a scale from 1 to 10 is no percentage; ten steps are no limit."""
    parts = run_parts(metric=Metric(name="exact", low=1.0, high=10.0))
    suite = suite_scores(teacher=[1.0, 9.0] * 50, students={"small": [2.0, 9.0, 1.0, 8.0] * 25})
    run = make_run(suite, parts=parts)
    assert decide(run, {"metric": "difference", "min": -1}).verdict == "pass"
    with pytest.raises(ConfigError, match=r"between -9 and 9, both excluded as a limit, not -9"):
        decide(run, {"metric": "difference", "min": -9})


def test_no_bound_lies_where_no_figure_can(make_run: MakeRun, suite_scores: type[Any]) -> None:
    """Few real-valued scores: the interval ends where the range of the metric does."""
    run = make_run(
        suite_scores(teacher=[0.9, 0.1, 0.8, 1.0], students={"small": [0.1, 0.0, 0.2, 0.0]})
    )
    rules = decide(
        run,
        {"metric": "difference", "min": -0.1, "confidence": 0.999},
        {"metric": "score", "min": 0.5, "confidence": 0.999},
        {"metric": "retention", "min": 0.5, "confidence": 0.99},
    ).rules
    ends = [(rule.bound, rule.opposite_bound) for rule in rules]
    assert ends[0][0] == -1.0
    assert ends[1][0] == 0.0
    assert all(low is None or low >= (-1, 0, 0)[i] for i, (low, _) in enumerate(ends))
    assert all(high is None or high <= (1, 1, 99)[i] for i, (_, high) in enumerate(ends))


@pytest.mark.parametrize(("limit", "verdict"), [(-0.02, "pass"), (0.004, "inconclusive")])
def test_difference_is_written_in_points(run_of: MakeRun, limit: float, verdict: str) -> None:
    """Student minus teacher, in points of percentage."""
    rule = only(decide(run_of(2000, both=1800, lost=20, gained=20),
                       {"metric": "difference", "min": limit}))  # fmt: skip
    assert rule.verdict == verdict
    assert rule.evidence.startswith("difference +0.0 points, at least -0.5 points")
    assert "limit -2.0 points" in rule.evidence or "limit +0.4 points" in rule.evidence
