"""The ratio of output lengths covers what it says: skewed lengths, a token limit, clusters."""

from __future__ import annotations

import numpy as np
import pytest

from kdeval.latency.tokens import length_ratio

pytestmark = pytest.mark.validity

_TRIALS = 3000
_LIMIT = 256


def _lengths(rng: np.random.Generator, n: int, topics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole tokens of both models: what is asked decides much of both, the limit cuts both off."""
    asked = np.exp(0.5 * rng.normal(size=n) + 0.5 * topics)
    teacher = np.ceil(40 * asked * rng.lognormal(sigma=0.3, size=n))
    student = np.ceil(70 * asked * rng.lognormal(sigma=0.5, size=n))
    return np.minimum(teacher, _LIMIT), np.minimum(student, _LIMIT)


@pytest.fixture(scope="module")
def truth() -> float:
    """Of a very large sample."""
    rng = np.random.default_rng(1)
    teacher, student = _lengths(rng, 4_000_000, rng.normal(size=4_000_000))
    return float(student.mean() / teacher.mean())


@pytest.mark.parametrize("n", [50, 300])
def test_independent_requests(n: int, truth: float, asymptotic) -> None:
    rng = np.random.default_rng([n, 2])
    below = above = 0
    for _ in range(_TRIALS):
        teacher, student = _lengths(rng, n, rng.normal(size=n))
        found = length_ratio(teacher, student, confidence=0.95)
        below += truth < found.low
        above += truth > found.high
    asymptotic("length ratio, Fieller", f"n = {n}", below + above, _TRIALS, 0.05)
    asymptotic("length ratio, verbose by error", f"n = {n}", below, _TRIALS, 0.025)


def test_requests_of_few_conversations(truth: float, asymptotic) -> None:
    """Sixty clusters of five that share their topic, hence their length."""
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(60), 5)
    errors = 0
    for _ in range(_TRIALS):
        teacher, student = _lengths(rng, len(codes), rng.normal(size=60)[codes])
        found = length_ratio(teacher, student, clusters=codes, confidence=0.95)
        errors += not found.low <= truth <= found.high
    asymptotic("length ratio, Fieller CR1", "60 clusters of 5", errors, _TRIALS, 0.05)
