"""Scores that a log carries."""

import pytest

from kdeval.records import Response
from kdeval.scorers.recorded_score import RecordedScore


def test_the_recorded_value_needs_neither_output_nor_reference(mark):
    score = mark(RecordedScore(), None, None, response=Response(score=0.25))
    assert (score.scorer, score.value, score.reason) == ("score", 0.25, None)


def test_the_range_is_unbounded_unless_it_is_said():
    assert (RecordedScore().metric.low, RecordedScore().metric.high) == (None, None)
    metric = RecordedScore(low=0, high=10, higher_is_better=False).metric
    assert (metric.low, metric.high, metric.higher_is_better) == (0, 10, False)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(output="x"), "no score was recorded: map a score column"),
        (Response(error="timeout"), "no answer: timeout"),
        (Response(score=11.0), "11.0 is not finite and within 0 to 10"),
        (Response(score=float("nan")), "nan is not finite"),
    ],
)
def test_what_is_not_there_is_missing(mark, response, reason):
    score = mark(RecordedScore(low=0, high=10), None, None, response=response)
    assert score.value is None
    assert reason in score.reason


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match="below high"):
        RecordedScore(low=1, high=1)
