"""The samples that a plan asks for give the power that was wished, and not much more.

A rule that does not pass in the world it was planned for is an error; at 80 % power a fifth of them
is nominal, and the plan may miss by no more than 1.25 times that. It may not be wasteful either:
at most 92 % pass, but where the zero-flip floor asks for the number.
"""

import numpy as np
import pytest

from kdeval.stats import paired_difference, retention
from kdeval.stats.critical import normal_critical
from kdeval.stats.interval import one_sided
from kdeval.stats.means.paired import mean
from kdeval.stats.planning.pairs import (
    Clustering,
    PairedRates,
    difference_values,
    rate_values,
    retention_values,
    samples_for_mean,
    samples_for_rates,
)
from kdeval.stats.planning.shares import samples_for_share_below, with_looks
from kdeval.stats.score_test import score_z

pytestmark = pytest.mark.validity

LEVEL, POWER = 0.95, 0.8
MOST = 0.92

RATE_WORLDS = [
    (0.90, 0.882, 0.05, 0.95),
    (0.90, 0.882, "most", 0.95),
    (0.87, 0.8526, 0.04, 0.90),
    (0.98, 0.975, 0.01, 0.98),
    (0.50, 0.48, 0.10, 0.90),
    (0.95, 0.96, 0.03, 0.98),
]


def _score_power(values, rates: PairedRates, n: int, trials: int) -> int:
    """Passes of the score test among simulated tables."""
    draws = np.random.default_rng(n).multinomial(n, rates.cells, size=trials)
    critical = normal_critical(one_sided(LEVEL))
    tables, counts = np.unique(draws, axis=0, return_counts=True)
    return sum(
        int(count)
        for table, count in zip(tables, counts, strict=True)
        if score_z(values, table.tolist()) >= critical
    )


@pytest.mark.parametrize("world", RATE_WORLDS)
@pytest.mark.parametrize("rule", ["retention", "difference", "score"])
def test_right_or_wrong_scores(rule: str, world, asymptotic) -> None:
    teacher, student, disagreement, limit = world
    rates = PairedRates.from_scores(teacher, student, disagreement)
    values = {
        "retention": retention_values(limit),
        "difference": difference_values(-(1 - limit) * teacher),
        "score": rate_values(student - 0.04 * min(1.0, (1 - student) * 5)),
    }[rule]
    n = samples_for_rates(values, rates, level=LEVEL, power=POWER)
    trials = 3000
    passed = _score_power(values, rates, n, trials)
    asymptotic(f"planned {rule} does not pass", f"{world}, n = {n}", trials - passed, trials, 0.2)
    assert passed / trials <= MOST


# The known limit: three or four losses in some 65 samples make a t statistic so skewed that 27 %
# do not pass where 20 % was planned.
@pytest.mark.parametrize(("losses", "margin", "slack"), [(0.05, 0.03, 1.5), (0.2, 0.06, 1.25)])
def test_real_scores(losses: float, margin: float, slack: float, asymptotic) -> None:
    """Skewed differences: most are zero, some are losses."""
    rng = np.random.default_rng(3)
    trials = 4000

    def draw(size) -> np.ndarray:
        return -rng.exponential(0.2, size) * (rng.random(size) < losses)

    pool = draw(400_000)
    truth, sd = float(pool.mean()), float(pool.std())
    n = samples_for_mean(truth + margin, sd, level=LEVEL, power=POWER)
    passed = 0
    for _ in range(trials):
        teacher = np.clip(rng.normal(0.7, 0.1, n), 0, 1)
        found = paired_difference(teacher, teacher + draw(n), confidence=one_sided(LEVEL))
        passed += found.low is not None and found.low >= -margin
    asymptotic("planned real difference does not pass", f"losses {losses}, n = {n}",
               trials - passed, trials, 0.2, slack)  # fmt: skip


def _clustered_cells(rng, rates: PairedRates, clusters: int, size: int, icc: float) -> np.ndarray:
    """Cell of each sample: within a cluster all alike with probability icc each, else anew."""
    own = rng.choice(4, p=rates.cells, size=(clusters, 1))
    anew = rng.choice(4, p=rates.cells, size=(clusters, size))
    return np.where(rng.random((clusters, size)) < np.sqrt(icc), own, anew).ravel()


@pytest.mark.parametrize(("size", "icc"), [(5, 0.2), (10, 0.1), (4, 0.6)])
def test_clustered_right_or_wrong_scores(size: int, icc: float, asymptotic) -> None:
    rates = PairedRates.from_scores(0.9, 0.882, 0.05)
    clustering = Clustering.equal(size, icc, rates.disagreement)
    n = samples_for_rates(
        retention_values(0.95), rates, level=LEVEL, power=POWER, clustering=clustering
    )
    clusters, rng, trials = -(-n // size), np.random.default_rng(size), 500
    codes = np.repeat(np.arange(clusters), size)
    passed = 0
    for _ in range(trials):
        cells = _clustered_cells(rng, rates, clusters, size, icc)
        teacher, student = np.isin(cells, (0, 2)) * 1.0, np.isin(cells, (0, 1)) * 1.0
        found = retention(teacher, student, clusters=codes, confidence=one_sided(LEVEL))
        passed += found.low is not None and found.low >= 0.95
    asymptotic("planned clustered retention does not pass", f"{size} x {icc}, n = {n}",
               trials - passed, trials, 0.2)  # fmt: skip
    assert passed / trials <= 0.95


@pytest.mark.parametrize(("size", "icc"), [(5, 0.3), (20, 0.2)])
def test_clustered_real_scores(size: int, icc: float, asymptotic) -> None:
    n = samples_for_mean(
        0.03, 0.25, level=LEVEL, power=POWER, clustering=Clustering.equal(size, icc)
    )
    clusters, rng, trials = -(-n // size), np.random.default_rng(size), 1500
    codes = np.repeat(np.arange(clusters), size)
    passed = 0
    for _ in range(trials):
        shared = np.repeat(rng.normal(0, 0.25 * np.sqrt(icc), clusters), size)
        x = 0.03 + shared + rng.normal(0, 0.25 * np.sqrt(1 - icc), len(shared))
        low = mean(x, clusters=codes, confidence=one_sided(LEVEL)).low
        passed += low is not None and low >= 0
    asymptotic("planned clustered mean does not pass", f"{size} x {icc}, n = {n}",
               trials - passed, trials, 0.2)  # fmt: skip
    assert passed / trials <= MOST


@pytest.mark.parametrize(("limit", "rate"), [(0.01, 0.002), (0.05, 0.02), (0.02, 0.0)])
def test_error_share(limit: float, rate: float, exact) -> None:
    """Exact: never less than the wished power."""
    from kdeval.stats import clopper_pearson

    n = samples_for_share_below(limit, rate, level=LEVEL, power=POWER)
    events = np.random.default_rng(5).binomial(n, rate, size=4000)
    bounds = {
        int(k): clopper_pearson(int(k), n, confidence=one_sided(LEVEL)).high
        for k in np.unique(events)
    }
    missed = sum(bounds[int(k)] > limit for k in events)
    exact("planned error share does not pass", f"{rate} below {limit}, n = {n}", missed, 4000, 0.2)


@pytest.mark.parametrize("figure", ["retention", "difference", "score"])
def test_strict_promises(figure: str, asymptotic) -> None:
    """More samples for a strict bound, and the same power, within 10 points of the wish."""
    from kdeval.stats.planning.strict import samples_for_strict
    from kdeval.stats.strict.intervals import strict_difference, strict_mean, strict_retention

    bounds = {
        "retention": strict_retention,
        "difference": strict_difference,
        "score": lambda _, student, **settings: strict_mean(student, **settings),
    }
    rates = PairedRates.from_scores(0.9, 0.882, 0.05)
    limit = {"retention": 0.95, "difference": -0.05, "score": 0.85}[figure]
    values = {"retention": retention_values, "difference": difference_values, "score": rate_values}
    plain = samples_for_rates(values[figure](limit), rates, level=LEVEL, power=POWER)
    n = samples_for_strict(plain, figure, rates, level=LEVEL)
    assert plain < n < 3 * plain
    rng, trials, passed = np.random.default_rng(11), 600, 0
    for _ in range(trials):
        cells = rng.choice(4, p=rates.cells, size=n)
        teacher, student = np.isin(cells, (0, 2)) * 1.0, np.isin(cells, (0, 1)) * 1.0
        low = bounds[figure](teacher, student, confidence=one_sided(LEVEL)).low
        passed += low is not None and low >= limit
    asymptotic(f"planned strict {figure} does not pass", f"n = {n}", trials - passed, trials, 0.2)
    assert passed / trials <= 0.93


def test_five_looks(asymptotic) -> None:
    """The same power with five looks, and about the average that was told."""
    from scipy.special import ndtri

    from kdeval.stats.sequential.group_sequential import lan_demets

    rates = PairedRates.from_scores(0.9, 0.882, 0.05)
    values = retention_values(0.95)
    single = samples_for_rates(values, rates, level=LEVEL, power=POWER)
    expected, most = with_looks(single, level=LEVEL, power=POWER)
    at = [most * k // 5 for k in range(1, 6)]
    bounds = [float(ndtri(level)) for level in lan_demets(tuple(at), 1 - LEVEL).levels]
    steps = np.diff([0, *at])
    rng, trials = np.random.default_rng(9), 1500
    asked, missed = [], 0
    for _ in range(trials):
        table = np.zeros(4)
        for step, bound in zip(steps, bounds, strict=True):
            table += rng.multinomial(step, rates.cells)
            if score_z(values, table.tolist()) >= bound:
                break
        else:
            missed += 1
        asked.append(table.sum())
    asymptotic("planned with five looks does not pass", f"at most {most}", missed, trials, 0.2)
    assert np.mean(asked) == pytest.approx(expected, rel=0.04)
