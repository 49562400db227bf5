"""Flip tables, agreement and kappa."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from kdeval.stats import agreement, cohen_kappa, flip_table, wilson


def test_counts_and_rates() -> None:
    table = flip_table([1, 1, 1, 0, 0], [1, 0, 1, 1, 0])
    assert (table.both_right, table.lost, table.gained, table.both_wrong) == (2, 1, 1, 1)
    assert (table.n, table.flips, table.teacher_rate, table.student_rate) == (5, 2, 0.6, 0.6)


def test_empty_table_has_no_rates() -> None:
    assert flip_table([], []).teacher_rate is None


def test_real_scores_and_unpaired_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="all 0 or 1"):
        flip_table([0.5], [1.0])
    with pytest.raises(ValueError, match="paired"):
        flip_table([1.0], [1.0, 0.0])


def test_kappa_equals_scikit_learn(rng: np.random.Generator) -> None:
    a = rng.integers(-2, 4, 300)
    b = np.where(rng.random(300) < 0.7, a, rng.integers(-2, 4, 300))
    assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))


def test_kappa_is_unknown_where_chance_explains_all() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa([3, 3], [3, 3]) is None
    assert cohen_kappa([0, 1], [1, 0]) == pytest.approx(-1.0)


def test_agreement_is_wilson_and_takes_booleans_only() -> None:
    interval = agreement(np.array([True] * 8 + [False] * 2))
    oracle = wilson(8, 10)
    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high))
    assert interval.method == "agreement, Wilson score"
    with pytest.raises(ValueError, match="boolean"):
        agreement([1, 0])
