"""The constrained-likelihood score test against closed forms and statsmodels."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import _confint_riskratio_paired_nam, proportion_confint

from kdeval.stats.score_test import invert, score_z


def _tables(seed: int, count: int) -> list[tuple[int, int, int, int]]:
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(count):
        n = int(rng.integers(5, 400))
        shares = rng.dirichlet([5, 1, 1, 1])
        tables.append(tuple(int(x) for x in rng.multinomial(n, shares)))
    return [t for t in tables if t[0] > 0 and t[0] + t[2] > 0]


def _nam_z(theta: float, a: int, b: int, c: int, n: int) -> float:
    """Z of Nam & Blackwelder in the closed form of Tang, Tang & Chan (2003)."""
    qa = n * (1 + theta)
    qb = (a + c) * theta**2 - (a + b + 2 * c)
    qc = c * (1 - theta) * (a + b + c) / n
    q = (-qb + math.sqrt(qb**2 - 4 * qa * qc)) / (2 * qa)
    return ((a + b) - theta * (a + c)) / math.sqrt(
        n * ((1 + theta) * q + (a + b + c) * (theta - 1) / n)
    )


def _tango_z(delta: float, b: int, c: int, n: int) -> float:
    """Z of Tango (1998) for the difference of paired rates."""
    qa, qb, qc = 2 * n, -b - c + (2 * n - b + c) * delta, -c * delta * (1 - delta)
    q = (-qb + math.sqrt(qb**2 - 4 * qa * qc)) / (2 * qa)
    return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))


@pytest.mark.parametrize("table", _tables(1, 25))
@pytest.mark.parametrize("theta", [0.3, 0.8, 0.95, 1.01, 1.2, 3.0])
def test_ratio_equals_nam_blackwelder(table: tuple[int, int, int, int], theta: float) -> None:
    a, b, c, d = table
    ours = score_z((1 - theta, 1, -theta, 0), table)
    assert ours == pytest.approx(_nam_z(theta, a, b, c, a + b + c + d), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("table", _tables(2, 25))
@pytest.mark.parametrize("delta", [-0.9, -0.3, -0.02, 0.05, 0.6])
def test_difference_equals_tango(table: tuple[int, int, int, int], delta: float) -> None:
    _, b, c, _ = table
    ours = score_z((-delta, 1 - delta, -1 - delta, -delta), table)
    assert ours == pytest.approx(_tango_z(delta, b, c, sum(table)), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("table", _tables(3, 40))
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_inverted_ratio_equals_statsmodels(
    table: tuple[int, int, int, int], confidence: float
) -> None:
    a, b, c, d = table
    critical = stats.norm.isf((1 - confidence) / 2)
    low, high = invert(
        lambda theta: score_z((1 - theta, 1, -theta, 0), table),
        estimate=(a + b) / (a + c),
        critical=critical,
        floor=0.0,
    )
    oracle = _confint_riskratio_paired_nam([[a, b], [c, d]], alpha=1 - confidence).confint
    assert (low, high) == pytest.approx([float(np.real(x)) for x in oracle], rel=1e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 1), (3, 10), (50, 50), (731, 1000)])
def test_one_rate_equals_wilson(k: int, n: int) -> None:
    low, high = invert(
        lambda p: score_z((1 - p, -p), (k, n - k)),
        estimate=k / n,
        critical=stats.norm.isf(0.025),
        floor=0.0,
        ceiling=1.0,
    )
    oracle = proportion_confint(k, n, method="wilson")
    assert (low, high) == pytest.approx(oracle, abs=1e-9)


def test_four_valued_variance_maximises_the_likelihood() -> None:
    """Chance-corrected D has no closed form: compare with a brute-force constrained maximum."""
    from scipy.optimize import minimize

    values, counts = np.array([0.075, 1.075, -0.925, -0.025]), np.array([30, 2, 9, 11])
    shares = counts / counts.sum()
    found = minimize(
        lambda p: -float(shares @ np.log(p)),
        np.full(4, 0.25),
        bounds=[(1e-9, 1)] * 4,
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ values},
        ],
        tol=1e-14,
    )
    expected = (shares @ values) / math.sqrt(found.x @ values**2 / counts.sum())
    assert score_z(values.tolist(), counts.tolist()) == pytest.approx(expected, rel=1e-4)


def test_impossible_mean_is_refuted_with_certainty() -> None:
    assert score_z((1.0, 2.0), (3, 4)) == math.inf
    assert score_z((-1.0, -2.0), (3, 4)) == -math.inf


def test_unbounded_side_is_none() -> None:
    low, high = invert(lambda x: -math.tanh(x), estimate=0.0, critical=2.0)
    assert low is None
    assert high is None
