"""Strict intervals: never more errors than nominal, at any n, in any world."""

import numpy as np
import pytest

from kdeval.stats import (
    TaskScores,
    retention,
    strict_difference,
    strict_macro_difference,
    strict_macro_retention,
    strict_mean,
    strict_retention,
)

pytestmark = pytest.mark.validity

WORLDS = {
    "T .90 S .88": (0.85, 0.03, 0.05, 0.07),
    "T .98 S .97": (0.963, 0.007, 0.017, 0.013),
    "T .50 S .45": (0.35, 0.10, 0.15, 0.40),
    "T .10 S .08": (0.06, 0.02, 0.04, 0.88),
    "T .90, no gains": (0.855, 0.0, 0.045, 0.10),
    "no flips at all": (0.90, 0.0, 0.0, 0.10),
}
TRIALS = 800


def misses(interval, truth: float) -> np.ndarray:
    low, high = interval.low, interval.high
    return np.array([low is not None and low > truth, high is not None and high < truth])


def pairs(rng, shares, n: int):
    cells = rng.choice(4, size=n, p=shares)
    return np.isin(cells, (0, 2)) * 1.0, np.isin(cells, (0, 1)) * 1.0


def judge(exact, name: str, world: str, errors: np.ndarray, trials: int) -> None:
    exact(f"{name}, false pass", world, errors[0], trials, 0.05)
    exact(f"{name}, false fail", world, errors[1], trials, 0.05)


@pytest.mark.parametrize("n", [5, 12, 28, 60])
@pytest.mark.parametrize("world", WORLDS)
def test_binary(world: str, n: int, exact) -> None:
    shares, rng = WORLDS[world], np.random.default_rng([n, len(world), 21])
    both, gained, lost, _ = shares
    ratio, chance = (both + gained) / (both + lost), 0.05
    above = (both + gained - chance) / (both + lost - chance)
    errors = {name: np.zeros(2, dtype=int) for name in ("retention", "difference", "chance")}
    for _ in range(TRIALS):
        t, s = pairs(rng, shares, n)
        errors["retention"] += misses(strict_retention(t, s, confidence=0.9), ratio)
        errors["difference"] += misses(strict_difference(t, s, confidence=0.9), gained - lost)
        found = strict_retention(t, s, chance=chance, confidence=0.9)
        errors["chance"] += misses(found, above)
    place = f"{world}, n = {n}"
    judge(exact, "strict retention", place, errors["retention"], TRIALS)
    judge(exact, "strict difference", place, errors["difference"], TRIALS)
    judge(exact, "strict retention above chance", place, errors["chance"], TRIALS)


@pytest.mark.parametrize("n", [5, 20, 60])
@pytest.mark.parametrize("rare", [0.02, 0.2])
def test_skewed_reals(n: int, rare: float, exact) -> None:
    """Scores near the top with rare collapses, where t and Fieller miss most."""
    rng = np.random.default_rng([n, int(100 * rare), 22])
    errors, means = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for _ in range(TRIALS):
        t = rng.uniform(0.8, 1.0, n)
        s = np.where(rng.random(n) < rare, 0.0, t)
        errors += misses(strict_retention(t, s, confidence=0.9), 1 - rare)
        means += misses(strict_mean(s, confidence=0.9), 0.9 * (1 - rare))
    place = f"rare collapses of {rare}, n = {n}"
    judge(exact, "strict retention, reals", place, errors, TRIALS)
    judge(exact, "strict mean, reals", place, means, TRIALS)


@pytest.mark.parametrize(("groups", "icc"), [(8, 0.3), (20, 0.9), (60, 0.6)])
def test_clusters_of_unequal_size(groups: int, icc: float, exact) -> None:
    """Losses that fill whole clusters among scattered gains."""
    rng, trials = np.random.default_rng([groups, 23]), 1000
    errors = np.zeros(2, dtype=int)
    k = (1 - icc) / icc
    for _ in range(trials):
        codes = np.repeat(np.arange(groups), rng.integers(1, 12, groups))
        teacher = rng.random(len(codes)) < 0.9
        lost = rng.random(len(codes)) < rng.beta(0.05 * k, 0.95 * k, groups)[codes]
        gained = rng.random(len(codes)) < 0.3
        t, s = teacher * 1.0, np.where(teacher, ~lost, gained) * 1.0
        truth = 0.95 + 0.3 / 9
        errors += misses(strict_retention(t, s, clusters=codes, confidence=0.9), truth)
    judge(exact, "strict retention, clusters", f"{groups} clusters, ICC {icc}", errors, trials)


@pytest.mark.parametrize("sizes", [(5, 40), (20, 20, 200), (60, 300)])
def test_macro(sizes: tuple[int, ...], exact) -> None:
    """Tasks unlike in size and level: only the average of their means is what the limit says."""
    shares = [WORLDS["T .90, no gains"], WORLDS["T .50 S .45"], WORLDS["T .98 S .97"]][: len(sizes)]
    rng, trials = np.random.default_rng([*sizes, 24]), 400
    ratio = sum(w[0] + w[1] for w in shares) / sum(w[0] + w[2] for w in shares)
    gap = sum(w[1] - w[2] for w in shares) / len(shares)
    errors, differences = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for _ in range(trials):
        tasks = []
        for w, n in zip(shares, sizes, strict=True):
            t, s = pairs(rng, w, n)
            tasks.append(TaskScores(name="x", teacher=t, student=s))
        errors += misses(strict_macro_retention(tasks, confidence=0.9), ratio)
        differences += misses(strict_macro_difference(tasks, confidence=0.9), gap)
    place = f"tasks of {', '.join(map(str, sizes))}"
    judge(exact, "strict macro retention", place, errors, trials)
    judge(exact, "strict macro difference", place, differences, trials)


def test_the_judge_refuses_an_interval_that_is_not_strict(exact) -> None:
    """Fieller's on rare collapses at n = 30 is caught."""
    rng, errors = np.random.default_rng(25), np.zeros(2, dtype=int)
    for _ in range(TRIALS):
        t = rng.uniform(0.8, 1.0, 30)
        s = np.where(rng.random(30) < 0.1, 0.0, t)
        errors += misses(retention(t, s, confidence=0.9), 0.9)
    with pytest.raises(AssertionError, match="promised at most"):
        judge(exact, "control: Fieller", "rare collapses of 0.1, n = 30", errors, TRIALS)
