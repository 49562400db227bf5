"""Coverage of the paired score intervals, unclustered."""

import numpy as np
import pytest
from scipy import stats

from kdeval.stats import paired_difference, retention

pytestmark = pytest.mark.validity

# Shares of: both right, student only, teacher only, both wrong.
WORLDS = {
    "T .90 S .88": (0.85, 0.03, 0.05, 0.07),
    "T .98 S .97": (0.963, 0.007, 0.017, 0.013),
    "T .50 S .45": (0.35, 0.10, 0.15, 0.40),
    "T .10 S .08": (0.06, 0.02, 0.04, 0.88),
    "T .90, no gains": (0.855, 0.0, 0.045, 0.10),
}
CASES = [
    ("T .90 S .88", 20),
    ("T .90 S .88", 50),
    ("T .90 S .88", 1000),
    ("T .98 S .97", 50),
    ("T .50 S .45", 100),
    ("T .10 S .08", 100),
    ("T .90, no gains", 58),
]
TRIALS = 3000


def tables(world: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct simulated tables and how often each came up."""
    draws = np.random.default_rng([n, 1]).multinomial(n, WORLDS[world], size=TRIALS)
    return np.unique(draws, axis=0, return_counts=True)


def pairs(table) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([1.0, 0, 1, 0], table), np.repeat([1.0, 1, 0, 0], table)


def misses(function, world: str, n: int, truth: float, **kwargs) -> tuple[int, int]:
    """How often the truth lay below and above the interval."""
    below = above = 0
    for table, count in zip(*tables(world, n), strict=True):
        interval = function(*pairs(table), **kwargs)
        below += count * (interval.low is not None and interval.low > truth)
        above += count * (interval.high is not None and interval.high < truth)
    return below, above


@pytest.mark.parametrize(("world", "n"), CASES)
def test_retention(world: str, n: int, asymptotic) -> None:
    both, gained, lost, _ = WORLDS[world]
    below, above = misses(retention, world, n, (both + gained) / (both + lost))
    asymptotic("retention, false pass", f"{world}, n = {n}", below, TRIALS, 0.025)
    asymptotic("retention, either end", f"{world}, n = {n}", below + above, TRIALS, 0.05)


@pytest.mark.parametrize(("world", "n"), CASES)
def test_difference(world: str, n: int, asymptotic) -> None:
    _, gained, lost, _ = WORLDS[world]
    below, above = misses(paired_difference, world, n, gained - lost)
    asymptotic("difference, false pass", f"{world}, n = {n}", below, TRIALS, 0.025)
    asymptotic("difference, either end", f"{world}, n = {n}", below + above, TRIALS, 0.05)


@pytest.mark.parametrize(("world", "n"), [("T .90 S .88", 50), ("T .50 S .45", 200)])
def test_retention_above_chance(world: str, n: int, asymptotic) -> None:
    both, gained, lost, _ = WORLDS[world]
    truth = (both + gained - 0.25) / (both + lost - 0.25)
    below, above = misses(retention, world, n, truth, chance=0.25)
    asymptotic("retention above chance, false pass", f"{world}, n = {n}", below, TRIALS, 0.025)
    asymptotic(
        "retention above chance, either end", f"{world}, n = {n}", below + above, TRIALS, 0.05
    )


@pytest.mark.parametrize(("threshold", "n"), [(0.90, 28), (0.90, 60), (0.95, 58), (0.95, 120)])
def test_false_passes_near_the_zero_flip_floor_exactly(threshold: float, n: int) -> None:
    """By enumeration, one-sided 5 %, no gains: the score interval's known excess stays bounded."""
    rate = 0.0
    for lost in range(8):
        for both in range(n - lost + 1):
            table = (both, 0, lost, n - both - lost)
            shares = (0.9 * threshold, 0.9 * (1 - threshold), 0.1)
            mass = stats.multinomial.pmf((both, lost, table[3]), n, shares)
            if mass > 1e-9 and both > 0:
                low = retention(*pairs(table), confidence=0.9).low
                rate += mass * (low > threshold)
    assert rate < 1.25 * 0.05


def test_the_judge_refuses_an_interval_that_collapses_without_flips(asymptotic) -> None:
    """The t interval on the same data misses five times too often, and is caught."""
    both, gained, lost, _ = WORLDS["T .90 S .88"]
    truth = (both + gained) / (both + lost)
    errors = 0
    for table, count in zip(*tables("T .90 S .88", 20), strict=True):
        teacher, student = pairs(table)
        d = student - truth * teacher
        centre = d - (student - student.sum() / max(teacher.sum(), 1) * teacher)
        half = stats.t.isf(0.025, 19) * (d - centre).std(ddof=1) / np.sqrt(20)
        errors += count * (d.mean() > half)
    with pytest.raises(AssertionError, match="promised at most"):
        asymptotic(
            "control: Wald retention, false pass", "T .90 S .88, n = 20", errors, TRIALS, 0.025
        )
