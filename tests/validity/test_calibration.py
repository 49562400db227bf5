"""Calibration: what a perfectly calibrated model shows, p-values, and the intervals beside them."""

import math

import numpy as np
import pytest
from scipy.special import log_softmax

from kdeval.stats import (
    classwise,
    confidence_auroc,
    confidence_figures,
    distillation_temperature,
    judge_calibrator,
    kept_at,
    proper_figures,
    student_temperature,
)
from kdeval.stats.calibration.binned import binned_errors
from kdeval.stats.calibration.debiased import debiased_errors
from kdeval.stats.calibration.groups import groups_of
from kdeval.stats.calibration.null import simulated_right

pytestmark = pytest.mark.validity

FIGURES = ("ece_equal_width", "ece_equal_mass", "debiased_l2", "smooth_ece", "ks", "auroc", "aurc")


@pytest.mark.parametrize(("n", "ece", "l2"), [(100, 0.097, 0.039), (1000, 0.032, 0.012)])
def test_a_perfectly_calibrated_model_shows_an_error(n: int, ece: float, l2: float) -> None:
    """The bias that makes raw ECE useless as a limit, and how much of it the debiased L2 keeps."""
    rng = np.random.default_rng([n, 40])
    widths, roots = [], []
    for _ in range(200):
        groups = groups_of(rng.beta(3.4, 1, n), np.zeros(n, bool))
        right = simulated_right(groups, rng, 20)
        widths.append(binned_errors(groups, right, groups.width).mean())
        roots.append(debiased_errors(groups, right).mean())
    assert np.mean(widths) == pytest.approx(ece, rel=0.06)
    assert np.mean(roots) == pytest.approx(l2, rel=0.08)


def _tied(rng: np.random.Generator, n: int) -> np.ndarray:
    """Confidence in words: 80, 90, 95 and 100 percent, mostly."""
    return rng.choice([0.5, 0.7, 0.8, 0.9, 0.95, 0.99], n, p=[0.05, 0.1, 0.25, 0.3, 0.2, 0.1])


@pytest.mark.parametrize(
    ("world", "n"), [("spread", 20), ("spread", 150), ("ties", 150), ("spread", 1200)]
)
def test_p_values_of_calibrated_models(world: str, n: int, exact) -> None:
    """A Monte Carlo p-value is below 5 % at most 5 % of the time, at any n, for every figure."""
    rng = np.random.default_rng([n, len(world), 41])
    trials = 400 if n < 1000 else 200
    errors = dict.fromkeys(FIGURES, 0)
    for _ in range(trials):
        claimed = rng.beta(3.4, 1, n) if world == "spread" else _tied(rng, n)
        found = confidence_figures(claimed, rng.random(n) < claimed, rng, simulations=79)
        for name in FIGURES:
            p_value = getattr(found, name).p_value
            errors[name] += p_value is not None and p_value <= 0.05
    for name, count in errors.items():
        exact(f"p-value of {name}", f"calibrated, {world}, n = {n}", count, trials, 0.05)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_p_values_are_uniform_not_only_small_enough(quantile: float) -> None:
    """No power is given away: p-values fall below each level as often as it says."""
    rng = np.random.default_rng([int(100 * quantile), 42])
    below = dict.fromkeys(("ece_equal_mass", "smooth_ece", "ks", "auroc"), 0)
    for _ in range(300):
        claimed = rng.beta(3.4, 1, 100)
        found = confidence_figures(claimed, rng.random(100) < claimed, rng, simulations=99)
        for name in below:
            below[name] += getattr(found, name).p_value <= quantile
    spread = math.sqrt(quantile * (1 - quantile) / 300)
    for count in below.values():
        assert count / 300 == pytest.approx(quantile, abs=4 * spread)


@pytest.mark.parametrize(("alpha", "n"), [(0.6, 100), (0.05, 100), (0.6, 2500), (0.05, 2500)])
def test_p_values_of_proper_scores(alpha: float, n: int, exact, asymptotic) -> None:
    """Simulated below 2,000 samples, matched by three moments above; alpha .05: nearly sure."""
    rng = np.random.default_rng([n, int(100 * alpha), 43])
    trials = 300
    errors = {"brier": 0, "log_loss": 0}
    for _ in range(trials):
        p = rng.dirichlet(np.full(4, alpha), n) + 1e-9
        p /= p.sum(axis=1, keepdims=True)
        y = (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
        found = proper_figures(np.log(p), y, rng, simulations=199)
        for name in errors:
            errors[name] += getattr(found, name).p_value <= 0.05
    judge = exact if n < 2000 else asymptotic
    for name, count in errors.items():
        judge(f"p-value of {name}", f"calibrated, alpha = {alpha}, n = {n}", count, trials, 0.05)


def test_p_values_of_classes(exact) -> None:
    rng = np.random.default_rng(44)
    errors = trials = 0
    for _ in range(150):
        p = rng.dirichlet([2.0, 1.0, 1.0], 400)
        y = (rng.random((400, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
        found = classwise(np.log(p), y, rng, simulations=79)
        errors += sum(item.ece.p_value <= 0.05 for item in found.classes)
        trials += len(found.classes)
    exact("p-value of one class", "calibrated, n = 400", errors, trials, 0.05)


@pytest.mark.parametrize(("n", "share"), [(100, 0.8), (400, 0.95)])
def test_auroc(n: int, share: float, asymptotic) -> None:
    """Two normal scores a standard deviation apart: the area is Phi(1 / sqrt 2)."""
    rng = np.random.default_rng([n, 45])
    truth = 0.5 * (1 + math.erf(0.5))
    errors, trials = 0, 1000
    for _ in range(trials):
        right = rng.random(n) < share
        found = confidence_auroc(rng.standard_normal(n) + right, right)
        errors += found.low is None or not found.low <= truth <= found.high
    asymptotic("AUROC of confidence", f"n = {n}, {share:.0%} right", errors, trials, 0.05)


def test_auroc_with_clusters(asymptotic) -> None:
    """Forty clusters of ten that share half the variance of their score and their correctness."""
    rng = np.random.default_rng(46)
    sizes, codes = 10, np.repeat(np.arange(40), 10)

    def world(clusters: int) -> tuple[np.ndarray, np.ndarray]:
        shared = np.repeat(rng.standard_normal((2, clusters)), sizes, axis=1)
        right = shared[0] + rng.standard_normal(clusters * sizes) > -1.0
        return shared[1] + rng.standard_normal(clusters * sizes) + right, right

    truth = confidence_auroc(*world(200_000)).estimate
    errors, trials = 0, 1000
    for _ in range(trials):
        score, right = world(40)
        found = confidence_auroc(score, right, clusters=codes)
        errors += not found.low <= truth <= found.high
    asymptotic("AUROC of confidence, clusters", "40 clusters of 10", errors, trials, 0.05)


@pytest.mark.parametrize("n", [60, 400])
def test_accuracy_of_what_is_kept(n: int, asymptotic) -> None:
    """Truth: the accuracy beyond the threshold that the sample chose."""
    rng = np.random.default_rng([n, 47])
    errors, trials = 0, 1500
    population = np.sort(rng.beta(4, 1, 200_000))
    above = np.append(np.cumsum(population[::-1])[::-1], 0.0)
    for _ in range(trials):
        claimed = rng.beta(4, 1, n)
        found = kept_at(claimed, rng.random(n) < claimed, (0.8,))[0]
        place = int(np.searchsorted(population, found.threshold))
        truth = above[place] / (len(population) - place)
        errors += not found.accuracy.low <= truth <= found.accuracy.high
    asymptotic("accuracy of the 80 % kept", f"n = {n}", errors, trials, 0.05)


@pytest.mark.parametrize("clustered", [False, True])
def test_student_temperature(clustered: bool, asymptotic) -> None:
    """A student with noise on its logits; the truth is that of a large population."""
    rng = np.random.default_rng([int(clustered), 48])

    def world(n: int) -> tuple[np.ndarray, np.ndarray]:
        teacher = log_softmax(2 * rng.standard_normal((n, 4)), axis=1)
        noise = rng.standard_normal((n, 4))
        if clustered:
            noise = np.repeat(noise[: n // 10], 10, axis=0)
            teacher = np.repeat(teacher[: n // 10], 10, axis=0)
        return teacher, log_softmax(1.6 * teacher + noise, axis=1)

    truth = student_temperature(*world(400_000)).estimate
    codes = np.repeat(np.arange(40), 10) if clustered else None
    errors, trials = 0, 800
    for _ in range(trials):
        found = student_temperature(*world(400), clusters=codes)
        errors += not found.low <= truth <= found.high
    name = "40 clusters of 10" if clustered else "n = 400"
    asymptotic("student's own temperature", name, errors, trials, 0.05)


def test_closest_temperature(asymptotic) -> None:
    """The temperature at which a noisy student is closest in a large population is covered."""
    rng = np.random.default_rng(49)

    def world(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        teacher = log_softmax(3 * rng.standard_normal((n, 5)), axis=1)
        student = log_softmax(np.maximum(teacher, -6) + 2 * rng.standard_normal((n, 5)), axis=1)
        return teacher, student, teacher.argmax(axis=1)

    truth = distillation_temperature(*world(200_000), rng, resamples=10).closest
    errors, trials = 0, 400
    for _ in range(trials):
        found = distillation_temperature(*world(200), rng, resamples=300)
        errors += not found.low <= truth <= found.high
    asymptotic("closest distillation temperature", "n = 200", errors, trials, 0.05)


@pytest.mark.parametrize("n", [80, 300, 1600])
def test_calibrators_help_on_samples_they_have_not_seen(n: int, asymptotic) -> None:
    """An overconfident model scores better after them; a calibrated one is hardly harmed, and is
    called harmed (interval above 0) no more often than the interval allows.
    """
    rng = np.random.default_rng([n, 50])
    fitting = np.arange(n) % 2 == 0
    gains, losses, false_help, trials = [], [], 0, 100 if n > 1000 else 200
    for _ in range(trials):
        odds = rng.normal(1.2, 1.0, n)
        right = rng.random(n) < 1 / (1 + np.exp(-odds))
        over = judge_calibrator(1 / (1 + np.exp(-2.5 * odds)), right, fitting, rng)
        fine = judge_calibrator(1 / (1 + np.exp(-odds)), right, fitting, rng)
        if over.brier_change is None or fine.brier_change is None:
            continue
        gains.append(over.brier_change.estimate)
        losses.append(fine.brier_change.estimate)
        false_help += fine.brier_change.high < 0
    assert np.mean(gains) < -0.005
    assert np.mean(losses) < 0.004
    asymptotic(
        "calibrator called a help", f"already calibrated, n = {n}", false_help, trials, 0.025
    )
