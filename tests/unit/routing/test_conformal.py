"""The in-distribution test: valid p-values, references for every task."""

from __future__ import annotations

import numpy as np
import pytest
from kdeval_router.familiarity import conformal_p_value

from kdeval.routing.conformal import MAX_REFERENCES, choose_references, min_conform


@pytest.mark.validity
@pytest.mark.parametrize("n", [19, 100, 500])
def test_familiar_requests_are_turned_away_no_more_often_than_alpha(n: int) -> None:
    """P(p <= alpha) <= alpha over draws of the held-out scores and of the request, ties or none."""
    rng = np.random.default_rng(5)
    for decimals in (8, 1):
        hits = [
            conformal_p_value(
                np.sort(np.round(rng.normal(size=n), decimals)).astype(np.float32),
                float(np.round(rng.normal(), decimals)),
            )
            <= 0.05
            for _ in range(6_000)
        ]
        assert np.mean(hits) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 6_000)


def test_the_p_value_counts_ranks() -> None:
    scores = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    assert [conformal_p_value(scores, s) for s in (0.5, 1.0, 2.5, 9.0)] == [0.25, 0.5, 0.75, 1.0]


def test_below_the_minimum_nothing_could_be_turned_away() -> None:
    assert min_conform(0.05) == 19
    assert 1 / (min_conform(0.05) + 1) <= 0.05 < 1 / min_conform(0.05)


def test_references_are_capped_and_shared_out_among_tasks() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [3_000, 2_500, 40])
    vectors = rng.normal(size=(len(codes), 8)).astype(np.float32)
    known = np.ones(len(codes), dtype=bool)
    known[-5:] = False
    chosen = choose_references(vectors, known, codes, 3, rng)
    counts = np.bincount(chosen["references.task"])
    assert counts.tolist() == [983, 982, 35] or counts.sum() == MAX_REFERENCES
    assert counts[2] == 35
    assert (np.diff(chosen["references.task"]) >= 0).all()
    assert chosen["references.vectors"].dtype == np.int8
