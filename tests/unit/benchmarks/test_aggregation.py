"""lm-eval's figures in kdeval's terms: the same number, or not carried at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lm_eval.api import metrics

from kdeval.benchmarks.aggregation import readings_of

_PAIRS = [(1, 1), (0, 1), (1, 0), (0, 0), (1, 1)]


def _flat_mean(items: list[list[bool]]) -> float:
    every = [value for item in items for value in item]
    return sum(every) / len(every)


@pytest.mark.parametrize(
    ("aggregate", "values", "aggregation"),
    [
        (metrics.mean, [1, 0, 1.0, True, np.float64(0.5)], "mean"),
        (metrics.perplexity, [-1.0, -2.5, -0.3], "exp_ratio_of_sums"),
        (metrics.weighted_perplexity, [(-10.0, 4), (-3.0, 2)], "exp_ratio_of_sums"),
        (metrics.bits_per_byte, [(-10.0, 14), (-3.0, 5)], "ratio_of_sums"),
        (metrics.brier_score, [(0, np.array([0.7, 0.3])), (1, np.array([0.6, 0.4]))], "mean"),
        (metrics.f1_score, _PAIRS, "ratio_of_sums"),
        (metrics.matthews_corrcoef, _PAIRS, "mcc"),
        (lambda items: sum(items) / len(items), [0.25, 1.0], "mean"),
        (_flat_mean, [[True, False], [True], [False, False, True]], "ratio_of_sums"),
    ],
)
def test_a_figure_is_lm_evals_own(
    aggregate: Callable[[Any], Any], values: list[Any], aggregation: str
) -> None:
    """One reading of lm-eval's function and of a task's own gives the very same number."""
    agreeing = [r for r in readings_of(aggregate) if r.agrees(values, aggregate)]
    assert [reading.aggregation for reading in agreeing] == [aggregation]


@pytest.mark.parametrize(
    ("aggregate", "values"),
    [
        (metrics.median, [0, 0, 0]),
        (metrics.bleu, [("a b c d", "a b c d")]),
        (max, [0.25, 1.0]),
        (lambda items: 0.5, [0.25, 1.0]),
        (metrics.mean, [1.0, float("nan")]),
        (metrics.mean, ["1.0"]),
        (metrics.perplexity, [-800.0]),
        (metrics.f1_score, [(0, 0), (0, 0)]),
    ],
)
def test_what_gives_another_number_is_not_carried(
    aggregate: Callable[[Any], Any], values: list[Any]
) -> None:
    """A median that happens to be the mean, a maximum, text, infinities."""
    assert not [r for r in readings_of(aggregate) if r.agrees(values, aggregate)]


def test_a_logged_value_is_left_as_it_is() -> None:
    """Reading a Brier score does not change lm-eval's probabilities."""
    probabilities = np.array([0.7, 0.3])
    (reading,) = readings_of(metrics.brier_score)
    mark = reading.mark((0, probabilities))
    assert mark is not None
    assert mark.value == pytest.approx(0.18)
    assert probabilities.tolist() == [0.7, 0.3]


def test_a_perplexity_of_one_document_is_its_score() -> None:
    """Beside the nats and the words that the set's figure is made of."""
    (reading,) = readings_of(metrics.weighted_perplexity)
    mark = reading.mark((-10.0, 4))
    assert mark is not None
    assert mark.value == pytest.approx(math.exp(2.5))
    assert mark.statistics == (10.0, 4.0)
