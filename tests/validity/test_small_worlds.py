"""Tiny samples, no flips, teachers near zero, ties: where intervals of others collapse."""

from __future__ import annotations

import numpy as np
import pytest
from kdeval_router.familiarity import conformal_p_value
from scipy import stats

from kdeval.stats import (
    clopper_pearson,
    mean,
    paired_difference,
    paired_median_ratio,
    retention,
    retention_p_value,
    wilson,
)
from tests.validity.test_paired_binary import pairs

pytestmark = pytest.mark.validity

# Shares of: both right, student only, teacher only, both wrong.
WORLDS = {
    "no flips": (0.9, 0.0, 0.0, 0.1),
    "no gains": (0.81, 0.0, 0.09, 0.1),
    "teacher at .03": (0.015, 0.01, 0.015, 0.96),
    "teacher at .03, copies": (0.03, 0.0, 0.0, 0.97),
    "student at 0": (0.0, 0.0, 0.5, 0.5),
    "all right but rare losses": (0.99, 0.0, 0.01, 0.0),
}
TRIALS = 4000


def tables(world: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng([n, 90]).multinomial(n, WORLDS[world], size=TRIALS)
    return np.unique(draws, axis=0, return_counts=True)


@pytest.mark.parametrize("n", [5, 8, 12, 20])
@pytest.mark.parametrize("world", WORLDS)
def test_five_to_twenty_samples(world: str, n: int, asymptotic) -> None:
    """A false pass at 2.5 and at 5 %; what nothing bounds counts as no pass.

    The limit, where nothing but one rate is left (a student that is always wrong): its binomial
    steps are coarse at n = 8 to 12, and the score test passes 7.3 % at a nominal 5 %.
    """
    both, gained, lost, _ = WORLDS[world]
    ratio, difference = (both + gained) / (both + lost), gained - lost
    for confidence in (0.95, 0.9):
        errors = np.zeros(2, dtype=int)
        for table, count in zip(*tables(world, n), strict=True):
            scores = pairs(table)
            for place, (function, truth) in enumerate(
                ((retention, ratio), (paired_difference, difference))
            ):
                low = function(*scores, confidence=confidence).low
                errors[place] += count * (low is not None and low > truth + 1e-12)
        nominal = (1 - confidence) / 2
        for name, wrong in zip(("retention", "difference"), errors, strict=True):
            where = f"{world}, n = {n}"
            slack = 1.75 if world == "student at 0" else 1.25
            asymptotic(f"{name}, false pass", where, wrong, TRIALS, round(nominal, 4), slack)


@pytest.mark.parametrize("n", [60, 300])
def test_a_teacher_near_zero(n: int, asymptotic) -> None:
    """Both ends; most samples are wrong on both sides."""
    both, gained, lost, _ = WORLDS["teacher at .03"]
    truth, missed = (both + gained) / (both + lost), 0
    for table, count in zip(*tables("teacher at .03", n), strict=True):
        found = retention(*pairs(table))
        missed += count * (found.low is not None and found.low > truth)
        missed += count * (found.high is not None and found.high < truth)
    asymptotic("retention, either end", f"teacher at .03, n = {n}", missed, TRIALS, 0.05)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("n", [5, 20, 100])
def test_one_rate_exactly(rate: float, n: int) -> None:
    """By enumeration: Clopper-Pearson never misses more than it says, on either side."""
    chance = stats.binom.pmf(np.arange(n + 1), n, rate)
    exact = [clopper_pearson(k, n) for k in range(n + 1)]
    assert sum(p for p, i in zip(chance, exact, strict=True) if i.low > rate) <= 0.025
    assert sum(p for p, i in zip(chance, exact, strict=True) if i.high < rate) <= 0.025


@pytest.mark.parametrize("n", [10, 30, 100])
def test_one_rate_on_average(n: int, asymptotic) -> None:
    """Wilson's interval over rates spread evenly: for single rates near 0 or 1 it misses more."""
    rng = np.random.default_rng([n, 91])
    rates = rng.random(TRIALS)
    found = [wilson(k, n) for k in range(n + 1)]
    drawn = rng.binomial(n, rates)
    missed = sum(
        not found[k].low <= rate <= found[k].high
        for k, rate in zip(drawn.tolist(), rates, strict=True)
    )
    asymptotic("rate, Wilson, either end", f"rates of 0 to 1, n = {n}", missed, TRIALS, 0.05)


@pytest.mark.parametrize(
    ("rate", "n", "slack"), [(0.9, 20, 1.25), (0.5, 8, 1.5), (0.982, 30, 2.25)]
)
def test_one_rate(rate: float, n: int, slack: float, asymptotic) -> None:
    """Its known limit is the step of the binomial: single rates miss up to 2.5 times as often."""
    counts = np.random.default_rng([n, 92]).binomial(n, rate, size=TRIALS)
    missed = 0
    for k, count in zip(*np.unique(counts, return_counts=True), strict=True):
        found = mean(np.arange(n) < k)
        missed += count * (not found.low <= rate <= found.high)
    asymptotic("rate, Wilson, either end", f"rate {rate}, n = {n}", missed, TRIALS, 0.05, slack)


@pytest.mark.parametrize(("world", "n"), [("no gains", 20), ("no gains", 100), ("no flips", 20)])
def test_p_values_of_retention(world: str, n: int, asymptotic) -> None:
    """At the true retention, a p-value of at most 5 % comes up at most that often."""
    both, gained, lost, _ = WORLDS[world]
    truth, errors = (both + gained) / (both + lost), 0
    for table, count in zip(*tables(world, n), strict=True):
        errors += count * (retention_p_value(*pairs(table), threshold=truth) <= 0.05)
    asymptotic("p-value of retention", f"{world}, n = {n}", errors, TRIALS, 0.05)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "level"), [(19, 0.05), (100, 0.05), (30, 0.1)])
def test_conformal_p_values(n: int, level: float, ties: bool, exact) -> None:
    """A request of the same traffic is called unfamiliar at most that often, with ties, too."""
    rng = np.random.default_rng([n, int(100 * level), 93])
    errors = 0
    for _ in range(TRIALS):
        scores = rng.normal(size=n + 1).astype(np.float32)
        if ties:
            scores = np.round(scores)
        errors += conformal_p_value(np.sort(scores[1:]), float(scores[0])) <= level
    where = f"n = {n}, level {level}" + (", ties" if ties else "")
    exact("conformal p-value, false alarm", where, errors, TRIALS, level)


@pytest.mark.parametrize("n", [8, 25])
def test_median_ratio_of_few_measurements_with_ties(n: int, asymptotic) -> None:
    """Times read off a coarse clock, a student at 0.5 of its teacher."""
    rng, missed, trials = np.random.default_rng([n, 94]), 0, 1000
    for _ in range(trials):
        teacher = np.round(rng.lognormal(3, 0.3, n))
        student = 0.5 * np.round(rng.lognormal(3, 0.3, n))
        found = paired_median_ratio(student, teacher, rng=rng, resamples=400)
        missed += found.low is not None and not found.low <= 0.5 <= found.high
    asymptotic("latency ratio, median, either end", f"coarse clock, n = {n}", missed, trials, 0.05)
