"""The certificate keeps its promise, and says what is missing when it can give none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kdeval.routing.certify import certify, min_units, one_per_unit, threshold_grid


def population(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Risk rank, who is eligible, who is lost: ranks are informative but far from perfect."""
    true = rng.beta(1, 8, n)
    rank = np.clip(true + rng.normal(0, 0.1, n), 0, 1)
    return rank, rng.random(n) < 0.9, rng.random(n) < true


@pytest.mark.validity
@pytest.mark.parametrize("n", [150, 500, 2_000])
def test_a_certificate_is_violated_no_more_often_than_promised(n: int) -> None:
    """At 90 % confidence at most 10 % of certificates may be of a larger risk than 2 %."""
    rng = np.random.default_rng(11)
    rank, eligible, lost = population(50_000, rng)
    grid = threshold_grid(population(2_000, rng)[0])
    violations = shares = 0.0
    repeats = 400
    for _ in range(repeats):
        drawn = rng.integers(0, len(rank), n)
        result = certify(
            grid, eligible[drawn], rank[drawn], lost[drawn], level=0.02, confidence=0.9
        )
        if result.threshold is not None:
            routed = eligible & (rank <= result.threshold)
            violations += bool((routed & lost).mean() > 0.02)
            shares += float(routed.mean())
    assert violations / repeats <= 0.1
    assert shares / repeats > 0.05


def test_zero_flips_need_114_units_for_two_percent_at_ninety() -> None:
    assert min_units(0.02, 0.9) == 114
    for n, certified in ((113, False), (114, True)):
        result = certify(
            np.array([1.0]),
            np.ones(n, dtype=bool),
            np.zeros(n),
            np.zeros(n, dtype=bool),
            level=0.02,
            confidence=0.9,
        )
        assert (result.threshold is not None) is certified
        assert result.missing == (None if certified else 114 - n)


def test_the_missing_number_is_enough_and_one_less_is_not() -> None:
    def at(n: int, flips: int) -> bool:
        lost = np.arange(n) < flips
        found = certify(
            np.array([0.5, 1.0]), np.ones(n, bool), np.zeros(n), lost, level=0.02, confidence=0.9
        )
        return found.threshold is not None

    lost = np.arange(200) < 2
    result = certify(
        np.array([0.5, 1.0]), np.ones(200, bool), np.zeros(200), lost, level=0.02, confidence=0.9
    )
    assert result.threshold is None
    assert result.missing is not None
    total = 200 + result.missing
    assert at(total, round(0.01 * total))
    assert not at(total - 1, round(0.01 * (total - 1)))


def test_a_student_that_loses_too_much_can_never_be_certified() -> None:
    lost = np.arange(300) < 30
    result = certify(
        np.array([1.0]), np.ones(300, bool), np.zeros(300), lost, level=0.02, confidence=0.9
    )
    assert (result.threshold, result.missing) == (None, None)


def test_no_units_certify_nothing() -> None:
    empty = np.zeros(0, dtype=bool)
    result = certify(np.array([1.0]), empty, np.zeros(0), empty, level=0.02, confidence=0.9)
    assert (result.threshold, result.missing) == (None, 114)


def test_one_sample_a_unit_is_drawn_uniformly() -> None:
    units = np.array(["a", "b", "a", "c", "a"], dtype=object)
    counts = np.zeros(5)
    for seed in range(600):
        drawn = one_per_unit(units, np.random.default_rng(seed))
        assert sorted(units[drawn]) == ["a", "b", "c"]
        counts[drawn] += 1
    assert counts[1] == counts[3] == 600
    assert np.abs(counts[[0, 2, 4]] / 600 - 1 / 3).max() < 0.06


def test_the_grid_goes_from_strict_to_loose_and_ends_with_everything() -> None:
    grid = threshold_grid(np.linspace(0, 0.5, 1_000))
    assert (np.diff(grid) > 0).all()
    assert grid[-1] == 1.0
    assert math.isclose(grid[49], 0.25, abs_tol=0.01)
    assert list(threshold_grid(np.zeros(0))) == [1.0]
