"""Calibration figures against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from kdeval.stats import brier_scores, calibration_summary, expected_calibration_error, log_losses


def probabilities(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.dirichlet(np.full(k, 0.7), n)


@pytest.mark.parametrize("k", [2, 5])
def test_proper_scores_equal_scikit_learn(rng: np.random.Generator, k: int) -> None:
    p, y = probabilities(rng, 200, k), rng.integers(0, k, 200)
    oracle = brier_score_loss(y, p, labels=list(range(k)), scale_by_half=True)
    assert brier_scores(p, y).mean() == pytest.approx(oracle)
    assert log_losses(np.log(p), y).mean() == pytest.approx(log_loss(y, p, labels=range(k)))


def test_brier_of_two_classes_is_the_binary_one() -> None:
    assert brier_scores([[0.3, 0.7], [1.0, 0.0]], [1, 1]) == pytest.approx([0.09, 1.0])


def test_impossible_label_is_counted_not_clipped(rng: np.random.Generator) -> None:
    logs = np.array([[0.0, -np.inf], [np.log(0.5)] * 2, [-np.inf, 0.0]])
    assert log_losses(logs, [1, 0, 1]).tolist() == [np.inf, pytest.approx(np.log(2)), 0.0]
    result = calibration_summary(logs, [1, 0, 1], rng)
    assert result.log_loss is None
    assert result.infinite_log_losses == 1
    assert result.reason == "the label had probability 0 in 1 of 3 samples"
    assert result.brier is not None


def test_expected_calibration_error_by_hand() -> None:
    confidence, correct = [0.55, 0.65, 0.95, 0.95], [True, False, True, True]
    wide = expected_calibration_error(confidence, correct, bins=2, binning="equal-width")
    assert wide == pytest.approx(abs(3 / 4 - (0.55 + 0.65 + 0.95 + 0.95) / 4))
    mass = expected_calibration_error(confidence, correct, bins=2, binning="equal-mass")
    assert mass == pytest.approx((abs(1 - 1.2) + abs(2 - 1.9)) / 4)
    assert expected_calibration_error([], []) is None


def test_ties_share_a_bin_whatever_the_order() -> None:
    confidence = np.full(100, 0.8)
    correct = np.arange(100) < 80
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [300, 5000])
def test_null_matches_perfectly_calibrated_models(rng: np.random.Generator, n: int) -> None:
    """The simulated null mean equals the mean ECE of models drawn to be calibrated."""
    errors = []
    result = None
    p = probabilities(rng, n, 3)
    top = p.max(axis=1)
    for _ in range(60):
        correct = rng.random(n) < top
        errors.append(expected_calibration_error(top, correct))
        y = np.where(correct, p.argmax(axis=1), p.argmin(axis=1))
        result = result or calibration_summary(np.log(p), y, rng)
    assert result is not None
    standard_error = np.std(errors) / np.sqrt(60)
    assert result.ece_null == pytest.approx(np.mean(errors), abs=4 * standard_error)


def test_p_value_tells_calibrated_from_overconfident(rng: np.random.Generator) -> None:
    p = probabilities(rng, 2000, 2)
    y = (rng.random(2000) < p[:, 1]).astype(int)
    assert calibration_summary(np.log(p), y, rng).ece_p_value > 0.01
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    overconfident = calibration_summary(np.log(sharp), y, rng)
    assert overconfident.ece_p_value < 0.005
    assert overconfident.ece_equal_mass > 3 * overconfident.ece_null


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_order_of_samples_and_names_of_classes_do_not_matter(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = probabilities(rng, n, k).round(2) + 1e-6, rng.integers(0, k, n)
    p /= p.sum(axis=1, keepdims=True)
    order, names = rng.permutation(n), rng.permutation(k)
    one = calibration_summary(np.log(p), y, np.random.default_rng(1), simulations=20)
    other = calibration_summary(
        np.log(p[order][:, np.argsort(names)]),
        names[y[order]],
        np.random.default_rng(1),
        simulations=20,
    )
    for name in ("mean_confidence", "brier", "log_loss"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
    if (np.sort(p, axis=1)[:, -1] > np.sort(p, axis=1)[:, -2]).all():
        assert one.ece_equal_mass == pytest.approx(other.ece_equal_mass)


def test_no_samples_and_bad_input(rng: np.random.Generator) -> None:
    empty = calibration_summary(np.zeros((0, 3)), np.zeros(0, dtype=int), rng)
    assert empty.reason == "no samples"
    assert empty.ece_p_value is None
    with pytest.raises(ValueError, match=r"row 1 sum to 0\.9"):
        brier_scores([[0.5, 0.5], [0.5, 0.4]], [0, 1])
    with pytest.raises(ValueError, match="class indices from 0 to 1"):
        brier_scores([[0.5, 0.5]], [2])
    with pytest.raises(ValueError, match="sum to nan"):
        log_losses([[np.nan, 0.0]], [0])
    with pytest.raises(ValueError, match="n labels"):
        log_losses([[0.0, -np.inf]], [0, 1])
