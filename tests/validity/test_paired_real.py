"""Coverage of Fieller, t and betting intervals for real-valued scores."""

import numpy as np
import pytest

from kdeval.stats import mean, paired_difference, retention
from kdeval.stats.betting import mean_limits, ratio_limits

pytestmark = pytest.mark.validity

TRIALS = 2000


def scores(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounded, skewed, correlated scores with means .75 and .69."""
    teacher = rng.beta(3, 1, n)
    return teacher, teacher * rng.beta(11.5, 1, n)


TEACHER, STUDENT = 0.75, 0.75 * 0.92


# The known limit: at n = 30 t-based intervals of bounded, strongly skewed differences miss 7.5 %.
@pytest.mark.parametrize(("n", "slack"), [(30, 1.75), (100, 1.25), (300, 1.25)])
def test_t_and_fieller(n: int, slack: float, asymptotic) -> None:
    rng = np.random.default_rng([n, 2])
    errors = np.zeros(3, dtype=int)
    for _ in range(TRIALS):
        teacher, student = scores(rng, n)
        found = (
            (retention(teacher, student), STUDENT / TEACHER),
            (paired_difference(teacher, student), STUDENT - TEACHER),
            (mean(student), STUDENT),
        )
        errors += [not interval.low <= truth <= interval.high for interval, truth in found]
    for name, count in zip(("retention, Fieller", "difference, t", "mean, t"), errors, strict=True):
        asymptotic(f"{name}, either end", f"skewed scores, n = {n}", count, TRIALS, 0.05, slack)


@pytest.mark.parametrize("n", [20, 100])
def test_betting_where_most_pairs_are_equal(n: int, exact) -> None:
    """A student that copies its teacher except for rare total losses."""
    rng = np.random.default_rng([n, 3])
    errors = np.zeros(2, dtype=int)
    trials = 300
    for _ in range(trials):
        teacher = rng.beta(3, 1, n)
        student = np.where(rng.random(n) < 0.03, 0.0, teacher)
        low, high = ratio_limits(student, teacher, None, chance=0.0, confidence=0.9)
        errors[0] += not low <= 0.97 <= high
        low, high = mean_limits(student - teacher, None, value_range=(-1, 1), confidence=0.9)
        errors[1] += not low <= -0.03 * 0.75 <= high
    for name, count in zip(("retention", "difference"), errors, strict=True):
        exact(f"{name}, betting, either end", f"rare losses, n = {n}", count, trials, 0.1)
