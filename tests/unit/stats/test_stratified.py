"""The score test of a sum of means over strata."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from kdeval.stats.means.stratified import Strata, stratified_z
from kdeval.stats.score_test import score_z

counts4 = st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(lambda c: sum(c) > 0)


def strata(*tables, means=(), variances=()) -> Strata:
    return Strata(
        values=np.array([t[0] for t in tables], dtype=float),
        counts=np.array([t[1] for t in tables], dtype=float),
        means=np.array(means),
        variances=np.array(variances),
        extra=np.zeros(len(tables)),
    )


def values(theta: float) -> tuple[float, ...]:
    return (1 - theta, 1, -theta, 0)


@given(counts=counts4, theta=st.floats(0.3, 1.5))
@settings(max_examples=300, deadline=None)
def test_one_stratum_is_the_score_test(counts, theta) -> None:
    """With one table it is the statistic of Tang and Nam."""
    z, _ = stratified_z(strata((values(theta), counts)))
    expected = score_z(values(theta), counts)
    assert z == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_normal_strata_are_welchs() -> None:
    z, variances = stratified_z(strata(means=[0.3, -0.1], variances=[0.01, 0.02]))
    assert z == pytest.approx(0.2 / math.sqrt(0.03))
    assert variances.tolist() == [0.01, 0.02]


@pytest.mark.parametrize("seen", [(40, 2, 5, 13), (18, 0, 0, 2)])
def test_the_variance_is_at_the_maximum_of_the_likelihood(seen) -> None:
    """Against a general optimiser: two tables and a normal mean under "they add up to 0"."""
    theta, other, mean, variance = 0.9, (30, 1, 6, 3), 0.02, 4e-4
    tables = [(values(theta), seen), (values(theta), other)]
    v = np.array(values(theta))

    def minus_log_likelihood(x):
        p, q = x[:4], x[4:8]
        normal = (x[8] - mean) ** 2 / (2 * variance)
        return -sum(c * math.log(max(a, 1e-300)) for c, a in zip((*seen, *other), (*p, *q),
                    strict=True) if c) + normal  # fmt: skip

    found = optimize.minimize(
        minus_log_likelihood,
        np.r_[np.full(8, 0.25), 0.0],
        bounds=[(1e-12, 1)] * 8 + [(-1, 1)],
        constraints=[
            {"type": "eq", "fun": lambda x: x[:4].sum() - 1},
            {"type": "eq", "fun": lambda x: x[4:8].sum() - 1},
            {"type": "eq", "fun": lambda x: x[:4] @ v + x[4:8] @ v + x[8]},
        ],
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-14},
    )
    p, q = found.x[:4], found.x[4:8]
    expected = [
        (p @ v**2 - (p @ v) ** 2) / sum(seen),
        (q @ v**2 - (q @ v) ** 2) / sum(other),
        variance,
    ]
    z, variances = stratified_z(strata(*tables, means=[mean], variances=[variance]))
    assert variances == pytest.approx(expected, rel=2e-3)
    total = sum(np.dot(v, c) / sum(c) for c in (seen, other)) + mean
    assert z == pytest.approx(total / math.sqrt(sum(expected)), rel=2e-3)


@given(tables=st.lists(counts4, min_size=1, max_size=4), theta=st.floats(0.5, 1.2))
@settings(max_examples=100, deadline=None)
def test_symmetry_and_no_nan(tables, theta) -> None:
    """Turning every D around turns the sign; the order of strata does not matter."""
    z, _ = stratified_z(strata(*[(values(theta), c) for c in tables]))
    back, _ = stratified_z(strata(*[(tuple(-x for x in values(theta)), c) for c in tables]))
    other, _ = stratified_z(strata(*[(values(theta), c) for c in reversed(tables)]))
    assert not math.isnan(z)
    assert back == pytest.approx(-z, rel=1e-6, abs=1e-9)
    assert other == pytest.approx(z, rel=1e-6, abs=1e-9)
