"""Agreement with other people's implementations: MAPIE, statsmodels, scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control import FWERFixedSequenceTesting, control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value, get_r_hat_plus
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from kdeval.stats import (
    clopper_pearson,
    cohen_kappa,
    fixed_sequence,
    holm,
    paired_difference,
    smallest_n,
    upper_bound,
    wilson,
)
from kdeval.stats.score_test import score_z

ALPHA, DELTA = 0.05, 0.1


def table_of(counts: np.ndarray, n: int) -> np.ndarray:
    return (np.arange(n)[:, None] < counts).astype(float)


def exact_p_values(counts: np.ndarray, n: int) -> np.ndarray:
    """P(no more losses | risk is alpha): what a Clopper-Pearson bound inverts."""
    return stats.binom.cdf(counts, n, ALPHA)


@settings(deadline=None, max_examples=80)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    n=st.integers(41, 600),
)
def test_fixed_sequence_certifies_what_mapie_rejects(counts: list[int], n: int) -> None:
    """The same walk over the same exact p-values; MAPIE's stands on the last it rejects."""
    losses = np.array(counts)
    rejected = control_fwer(exact_p_values(losses, n), DELTA, "fixed_sequence")
    ours = fixed_sequence(table_of(losses, n), alpha=ALPHA, delta=DELTA).certified
    assert ours == (None if len(rejected) == 0 else rejected.max())


@pytest.mark.parametrize("seed", range(6))
def test_several_starts_share_delta_as_in_mapie(seed: int) -> None:
    """Equally spaced starts, each at delta / starts."""
    rng = np.random.default_rng(seed)
    n, m, starts = 400, 24, 3
    counts = np.clip(rng.normal(8, 5, m).astype(int) + np.arange(m) // 3, 0, n)
    rejected = FWERFixedSequenceTesting(n_starts=starts).run(exact_p_values(counts, n), DELTA)
    ours = fixed_sequence(
        table_of(counts, n), alpha=ALPHA, delta=DELTA, starts=tuple(range(0, m, m // starts))
    ).certified
    assert ours == (None if len(rejected) == 0 else rejected.max())


@pytest.mark.parametrize("seed", range(4))
def test_exact_bounds_certify_what_hoeffding_bentkus_does(seed: int) -> None:
    """A Hoeffding-Bentkus p-value of a binary loss is never below the exact one."""
    rng = np.random.default_rng(seed)
    n, counts = 500, rng.integers(0, 40, 50)
    theirs = compute_hoeffding_bentkus_p_value(counts / n, n, ALPHA, binary=True)[:, 0]
    exact = exact_p_values(counts, n)
    assert (theirs >= exact * (1 - 1e-9)).all()
    for count, p in zip(counts, theirs, strict=True):
        if p <= DELTA:
            assert clopper_pearson(int(count), n, confidence=1 - DELTA, side="upper").high <= ALPHA


def test_without_a_loss_the_exact_p_value_is_hoeffding_bentkus() -> None:
    n = smallest_n(ALPHA, DELTA)
    for size, certified in ((n - 1, False), (n, True)):
        p = compute_hoeffding_bentkus_p_value(np.zeros(1), size, ALPHA, binary=True)[0, 0]
        assert p == pytest.approx((1 - ALPHA) ** size)
        assert bool(p <= DELTA) is certified


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_betting_bound_lies_near_mapies(rate: float) -> None:
    """The same WSR bets; MAPIE's stakes stop at 1, ours at 3/4 of the largest that is safe."""
    x = (np.random.default_rng(3).random(400) < rate).astype(float)
    grid = np.linspace(0, 1, 251)
    _, theirs = get_r_hat_plus(x[:, None], grid, "rcps", "wsr", DELTA, 0.25)
    assert upper_bound(x, delta=DELTA) == pytest.approx(float(theirs[0]), abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_holm_rejects_what_mapie_rejects(p: list[float]) -> None:
    assert set(holm(p, error=DELTA)) == set(
        control_fwer(np.array(p), DELTA, "bonferroni_holm").tolist()
    )


@pytest.mark.parametrize(("b", "c"), [(3, 9), (0, 7), (20, 14), (5, 5)])
def test_equality_is_tested_as_mcnemar_does(b: int, c: int) -> None:
    """The score statistic at a difference of 0 is the root of McNemar's chi-square."""
    z = score_z((0.0, 1.0, -1.0, 0.0), (40, b, c, 10))
    oracle = mcnemar([[40, b], [c, 10]], exact=False, correction=False)
    assert z**2 == pytest.approx(oracle.statistic)
    p = stats.chi2.sf(z**2, 1)
    cells = np.repeat(np.arange(4), (40, b, c, 10))
    found = paired_difference(cells % 2 == 0, cells < 2, confidence=1 - p if p < 1 else 0.5)
    if 1e-6 < p < 0.999:
        assert min(abs(found.low), abs(found.high)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 12), (7, 20), (199, 200), (30, 30)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_one_rate_is_that_of_statsmodels(k: int, n: int, confidence: float) -> None:
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "beta")):
        low, high = proportion_confint(k, n, alpha=1 - confidence, method=method)
        found = ours(k, n, confidence=confidence)
        assert (found.low, found.high) == pytest.approx((max(low, 0.0), min(high, 1.0)), abs=1e-9)


def test_agreement_and_kappa_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    for labels in (2, 5):
        a, b = rng.integers(0, labels, (2, 300))
        assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))
        assert np.mean(a == b) == pytest.approx(accuracy_score(a, b))
