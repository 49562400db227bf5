"""Latency quantiles and the calibration test."""

import numpy as np
import pytest

from kdeval.stats import calibration_summary, paired_quantile_ratio, quantile

pytestmark = pytest.mark.validity


@pytest.mark.parametrize(("q", "n"), [(0.5, 30), (0.5, 200), (0.9, 200), (0.99, 600)])
def test_quantile(q: float, n: int, exact) -> None:
    rng = np.random.default_rng([n, int(100 * q), 13])
    truth = np.quantile(rng.lognormal(sigma=0.8, size=4_000_000), q)
    trials = 1000
    errors = 0
    for _ in range(trials):
        interval = quantile(rng.lognormal(sigma=0.8, size=n), q)
        errors += not interval.low <= truth <= interval.high
    exact("latency quantile, order statistics", f"q = {q}, n = {n}", errors, trials, 0.05)


@pytest.mark.parametrize(("q", "n"), [(0.5, 30), (0.5, 200), (0.9, 200), (0.99, 600)])
def test_quantile_ratio(q: float, n: int, asymptotic) -> None:
    """Interleaved measurements that share the machine's drift; the true ratio is 0.4."""
    rng = np.random.default_rng([n, int(100 * q), 14])
    trials, errors = 500, 0
    for _ in range(trials):
        drift = rng.lognormal(sigma=0.3, size=n)
        teacher, student = drift * rng.lognormal(sigma=0.4, size=(2, n))
        interval = paired_quantile_ratio(0.4 * student, teacher, q, rng=rng, resamples=400)
        errors += not interval.low <= 0.4 <= interval.high
    asymptotic("latency ratio, bootstrap", f"q = {q}, n = {n}", errors, trials, 0.05)


def test_calibrated_models_are_rarely_called_miscalibrated(exact) -> None:
    rng = np.random.default_rng(15)
    trials, errors = 1000, 0
    for _ in range(trials):
        p = rng.dirichlet(np.full(3, 0.6), 150)
        labels = (rng.random((150, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
        errors += calibration_summary(np.log(p), labels, rng, simulations=99).ece_p_value <= 0.05
    exact("calibration p-value", "calibrated, n = 150", errors, trials, 0.05)
