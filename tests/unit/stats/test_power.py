"""Sample sizes."""

import numpy as np
import pytest

from kdeval.stats import (
    one_sided,
    retention,
    samples_to_bound_mean,
    samples_to_pass,
    zero_flip_floor,
)


@pytest.mark.parametrize(("threshold", "floor"), [(0.90, 28), (0.95, 58), (0.98, 148)])
def test_zero_flip_floors_of_a_teacher_at_ninety_percent(threshold: float, floor: int) -> None:
    assert zero_flip_floor(threshold, 0.9, level=0.95) == floor


@pytest.mark.parametrize("threshold", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_floor_is_where_the_interval_starts_to_pass(threshold: float, level: float) -> None:
    floor = zero_flip_floor(threshold, 1.0, level=level)
    assert floor is not None
    for n, passes in ((floor - 1, False), (floor, True)):
        low = retention(np.ones(n), np.ones(n), confidence=one_sided(level)).low
        assert low is not None
        assert (low > threshold) is passes


def test_floor_where_nothing_can_pass() -> None:
    assert zero_flip_floor(1.0, 0.9, level=0.95) is None
    assert zero_flip_floor(0.9, 0.0, level=0.95) is None
    assert zero_flip_floor(0.0, 0.9, level=0.95) == 1


def scores(rng: np.random.Generator, n: int, lost: float) -> tuple[np.ndarray, np.ndarray]:
    teacher = (rng.random(n) < 0.9).astype(float)
    return teacher, np.where(rng.random(n) < lost, 0.0, teacher)


def test_planned_number_reaches_the_planned_power(rng: np.random.Generator) -> None:
    teacher, student = scores(rng, 100_000, 0.02)
    n = samples_to_pass(teacher, student, threshold=0.95, level=0.95, power=0.8)
    assert n is not None
    assert 150 < n < 1000
    passed = sum(
        (retention(*scores(rng, n, 0.02), confidence=0.9).low or 0) > 0.95 for _ in range(400)
    )
    assert 0.74 < passed / 400 < 0.92


def test_no_number_would_do_below_the_threshold(rng: np.random.Generator) -> None:
    teacher, student = scores(rng, 1000, 0.2)
    assert samples_to_pass(teacher, student, threshold=0.95, level=0.95) is None
    assert samples_to_pass([], [], threshold=0.95, level=0.95) is None
    assert samples_to_pass([1.0], [1.0], threshold=0.95, level=0.95) is None


def test_without_flips_the_floor_is_the_least_number() -> None:
    always = np.ones(10)
    floor = zero_flip_floor(0.95, 1.0, level=0.95)
    assert floor <= samples_to_pass(always, always, threshold=0.95, level=0.95) <= 1.05 * floor
    mostly = np.repeat([1.0, 0.0], [9, 1])
    assert 58 <= samples_to_pass(mostly, mostly, threshold=0.95, level=0.95) < 70


def test_clusters_need_more_samples(rng: np.random.Generator) -> None:
    teacher, student = scores(rng, 300, 0.02)
    codes = np.repeat(np.arange(300), 5)
    independent = samples_to_pass(teacher, student, threshold=0.9, level=0.95)
    clustered = samples_to_pass(
        np.repeat(teacher, 5), np.repeat(student, 5), threshold=0.9, level=0.95, clusters=codes
    )
    assert clustered == pytest.approx(5 * independent, rel=0.02)


def test_bounding_a_mean_from_either_side(rng: np.random.Generator) -> None:
    x = rng.normal(0.3, 1.0, 5000)
    above = samples_to_bound_mean(x, limit=0.0, level=0.95)
    below = samples_to_bound_mean(-x, limit=0.0, level=0.95, side="below")
    assert above == below
    assert above == pytest.approx(1.05 * (1.6449 + 0.8416) ** 2 * x.var() / x.mean() ** 2, rel=0.01)
    assert samples_to_bound_mean(x, limit=0.0, level=0.95, side="below") is None
    assert samples_to_bound_mean(np.full(20, 0.02), limit=0.0, level=0.95) == 152
