"""Nulls of the proper scores by enumeration, and the Brier score's parts."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeval.stats import brier_parts, brier_scores, proper_figures
from kdeval.stats.calibration import proper_null


def logs_of(p) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(p, float))


def draw(rng: np.random.Generator, p: np.ndarray) -> np.ndarray:
    return (rng.random((len(p), 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def test_null_of_few_samples_equals_enumeration(rng: np.random.Generator) -> None:
    p = rng.dirichlet([1, 1, 1], 4)
    y = np.array([0, 1, 2, 0])
    means = {"brier": 0.0, "log_loss": 0.0}
    for labels in product(range(3), repeat=4):
        weight = float(np.prod([row[k] for row, k in zip(p, labels, strict=True)]))
        means["brier"] += weight * brier_scores(p, np.array(labels)).mean()
        means["log_loss"] += weight * float(
            np.mean([-math.log(row[k]) for row, k in zip(p, labels, strict=True)])
        )
    found = proper_figures(logs_of(p), y, rng, simulations=20_000)
    assert found.brier.expected == pytest.approx(means["brier"], abs=0.005)
    assert found.log_loss.expected == pytest.approx(means["log_loss"], abs=0.02)


@pytest.mark.parametrize("alpha", [0.05, 0.6])
def test_formula_and_simulation_agree(
    rng: np.random.Generator, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a handful of unsure samples hold the variance (alpha 0.05)."""
    p = rng.dirichlet(np.full(4, alpha), 1500) + 1e-12
    p /= p.sum(axis=1, keepdims=True)
    y = draw(rng, p)
    simulated = proper_figures(logs_of(p), y, rng, simulations=8000)
    monkeypatch.setattr(proper_null, "_SIMULATED_BELOW", 0)
    matched = proper_figures(logs_of(p), y, rng)
    assert matched.brier.simulations is None
    for name in ("brier", "log_loss"):
        a, b = getattr(simulated, name), getattr(matched, name)
        width = a.high - a.low
        assert a.estimate == b.estimate
        for end in ("expected", "low", "high"):
            assert getattr(b, end) == pytest.approx(getattr(a, end), abs=0.06 * width)
        assert b.p_value == pytest.approx(a.p_value, abs=0.05)


@pytest.mark.parametrize("n", [400, 4000])
def test_both_directions_are_seen(rng: np.random.Generator, n: int) -> None:
    """A model too sure scores worse than it claims, one too unsure better."""
    p = rng.dirichlet([0.8] * 3, n)
    y = draw(rng, p)
    for power, worse in ((3.0, True), (0.4, False)):
        claimed = p**power / (p**power).sum(axis=1, keepdims=True)
        found = proper_figures(logs_of(claimed), y, rng)
        for figure in (found.brier, found.log_loss):
            assert figure.p_value < 0.01
            assert (figure.estimate > figure.expected) == worse


def test_impossible_labels_and_certain_models(rng: np.random.Generator) -> None:
    found = proper_figures(logs_of([[1.0, 0.0], [0.5, 0.5]]), [1, 0], rng)
    assert found.infinite_log_losses == 1
    assert found.log_loss.estimate is None
    assert found.log_loss.reason == "the label had probability 0 in 1 of 2 samples"
    assert found.brier.estimate == pytest.approx((1 + 0.25) / 2)
    for n in (3, 3000):
        sure = proper_figures(logs_of([[1.0, 0.0]] * n), [0] * n, rng)
        assert (sure.brier.estimate, sure.brier.expected, sure.brier.p_value) == (0, 0, 1)
    wrong = proper_figures(logs_of([[1.0, 0.0]] * 3000), [0] * 2999 + [1], rng)
    assert wrong.brier.p_value < 0.01
    assert proper_figures(np.zeros((0, 2)), np.zeros(0, int), rng).brier.reason == "no samples"


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 80), st.integers(2, 5), st.integers(0, 2**31))
def test_parts_sum_to_the_score(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.dirichlet(np.full(k, 0.5), n).round(2) + 1e-9, rng.integers(0, k, n)
    p /= p.sum(axis=1, keepdims=True)
    found = brier_parts(logs_of(p), y)
    total = found.reliability - found.resolution + found.uncertainty + found.within_bins
    assert total == pytest.approx(brier_scores(p, y).mean())
    order = rng.permutation(n)
    other = brier_parts(logs_of(p)[order], y[order])
    assert other.reliability == pytest.approx(found.reliability)
    names = rng.permutation(k)
    renamed = brier_parts(logs_of(p)[:, np.argsort(names)], names[y])
    assert renamed.resolution == pytest.approx(found.resolution)


def test_parts_of_a_forecast_that_knows_everything_or_nothing() -> None:
    y = np.array([0, 1] * 50)
    perfect = brier_parts(logs_of(np.eye(2)[y]), y)
    assert perfect.reliability == pytest.approx(0)
    assert perfect.resolution == pytest.approx(perfect.uncertainty)
    blind = brier_parts(logs_of(np.full((100, 2), 0.5)), y)
    assert blind.resolution == pytest.approx(0, abs=1e-12)
    assert blind.uncertainty == pytest.approx(0.25 * 100 / 99)
    assert brier_parts(logs_of([[0.5, 0.5]]), [0]) is None


def test_reliability_is_unbiased_for_a_calibrated_model(rng: np.random.Generator) -> None:
    found = []
    for _ in range(300):
        p = rng.dirichlet([1, 1], 100)
        found.append(brier_parts(logs_of(p), draw(rng, p)).reliability)
    spread = np.std(found) / math.sqrt(300)
    assert np.mean(found) == pytest.approx(0, abs=4 * spread)
    assert min(found) < 0 < max(found)
