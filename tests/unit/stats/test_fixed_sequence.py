"""The walk over ordered thresholds."""

import numpy as np
import pytest

from kdeval.stats import (
    clopper_pearson,
    fixed_sequence,
    fixed_sequence_of_means,
    selective_start,
    smallest_n,
)


def losses(n: int, *counts: int) -> np.ndarray:
    """A table with these numbers of losses per candidate."""
    return (np.arange(n)[:, None] < np.array(counts)).astype(float)


def test_walk_stops_at_the_first_failure() -> None:
    result = fixed_sequence(losses(500, 0, 2, 40, 1), alpha=0.02, delta=0.1)
    assert result.certified == 1
    assert result.bounds[3] is None
    assert result.bounds[2] > 0.02
    oracle = clopper_pearson(2, 500, confidence=0.9, side="upper")
    assert result.bounds[1] == pytest.approx(oracle.high)


def test_smallest_n_is_where_certification_starts() -> None:
    assert smallest_n(0.02, 0.1) == 114
    assert fixed_sequence(losses(113, 0), alpha=0.02, delta=0.1).certified is None
    assert fixed_sequence(losses(114, 0), alpha=0.02, delta=0.1).certified == 0
    refused = fixed_sequence(losses(50, 0), alpha=0.02, delta=0.1)
    assert refused.n_min == 114
    assert "takes 114" in (refused.reason or "")


def test_selective_risk_counts_the_accepted_only() -> None:
    table = losses(400, 0, 1, 3)
    accepted = np.arange(400)[:, None] < np.array([20, 300, 400])
    assert fixed_sequence(table, accepted=accepted, alpha=0.02, delta=0.1).certified is None
    start = selective_start(accepted.sum(axis=0), alpha=0.02, delta=0.1)
    assert start == 1
    result = fixed_sequence(table, accepted=accepted, alpha=0.02, delta=0.1, starts=(start,))
    assert result.certified == 2
    assert result.trials == (20, 300, 400)
    assert selective_start([5, 10], alpha=0.02, delta=0.1) is None


def test_several_starts_share_delta() -> None:
    table = losses(500, 0, 40, 3, 3)
    two = fixed_sequence(table, alpha=0.02, delta=0.1, starts=(0, 2))
    assert two.certified == 3
    oracle = clopper_pearson(3, 500, confidence=0.95, side="upper")
    assert two.bounds[2] == pytest.approx(oracle.high)


def test_mean_losses_are_certified_by_betting(rng: np.random.Generator) -> None:
    drops = rng.choice([-1.0, 0.0, 1.0], p=[0.05, 0.9, 0.05], size=(3000, 1))
    table = np.hstack([np.zeros((3000, 1)), drops, drops + 0])
    table[:400, 2] = 1.0
    result = fixed_sequence_of_means(table, alpha=0.03, delta=0.1, rng=rng)
    assert result.certified == 1
    assert result.bounds[0] <= 0.03 < result.bounds[2]
    assert result.n_min is None


def test_a_looser_demand_certifies_at_least_as_much(rng: np.random.Generator) -> None:
    risk = np.linspace(0, 0.08, 30)
    table = (rng.random((800, 1)) < risk).astype(float)
    last = -1
    for alpha in (0.01, 0.02, 0.04, 0.06):
        found = fixed_sequence(table, alpha=alpha, delta=0.1).certified
        assert (-1 if found is None else found) >= last
        last = -1 if found is None else found
    assert last > 5


def test_bad_input(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        fixed_sequence([[0.5]], alpha=0.1, delta=0.1)
    with pytest.raises(ValueError, match="starts"):
        fixed_sequence([[0.0]], alpha=0.1, delta=0.1, starts=(1,))
    with pytest.raises(ValueError, match="alpha"):
        fixed_sequence([[0.0]], alpha=0.0, delta=0.1)
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        fixed_sequence_of_means([[2.0]], alpha=0.1, delta=0.1, rng=rng)
    assert fixed_sequence(np.zeros((0, 2)), alpha=0.1, delta=0.1).certified is None
