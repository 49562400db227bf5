"""Calibration class by class."""

import numpy as np
import pytest

from kdeval.stats import classwise, expected_calibration_error


def world(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    p = rng.dirichlet([2, 2, 2, 0.05], n)
    return p, (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def test_only_classes_with_samples_are_judged(rng: np.random.Generator) -> None:
    p, y = world(rng, 600)
    found = classwise(np.log(p + 1e-300), y, rng)
    assert [item.index for item in found.classes] == [0, 1, 2]
    assert (found.left_out, found.least) == (1, 50)
    for item in found.classes:
        assert item.labels == (y == item.index).sum()
        assert item.share == pytest.approx((y == item.index).mean())
        assert item.claimed == pytest.approx(p[:, item.index].mean())
        assert item.ece.estimate == pytest.approx(
            expected_calibration_error(p[:, item.index], y == item.index)
        )
        assert item.ece.p_value > 0.005
    assert found.mean_ece == pytest.approx(np.mean([item.ece.estimate for item in found.classes]))


def test_a_class_that_is_claimed_too_often_stands_out(rng: np.random.Generator) -> None:
    p, y = world(rng, 3000)
    p[:, 0] += 0.15
    p /= p.sum(axis=1, keepdims=True)
    found = classwise(np.log(p + 1e-300), y, rng)
    assert found.classes[0].ece.p_value == pytest.approx(1 / 501)
    assert found.classes[0].claimed > found.classes[0].share


def test_names_of_classes_do_not_matter(rng: np.random.Generator) -> None:
    p, y = world(rng, 600)
    names = np.array([2, 0, 3, 1])
    one = classwise(np.log(p + 1e-300), y, np.random.default_rng(1))
    other = classwise(np.log(p + 1e-300)[:, np.argsort(names)], names[y], np.random.default_rng(1))
    assert other.mean_ece == pytest.approx(one.mean_ece)
    assert {names[item.index] for item in one.classes} == {item.index for item in other.classes}


def test_too_few_samples_leave_every_class_out(rng: np.random.Generator) -> None:
    p, y = world(rng, 60)
    found = classwise(np.log(p + 1e-300), y, rng)
    assert (found.classes, found.left_out, found.mean_ece) == ((), 4, None)
    empty = classwise(np.zeros((0, 3)), np.zeros(0, dtype=int), rng)
    assert (empty.classes, empty.left_out) == ((), 3)
    one_class = classwise(np.log(p + 1e-300), np.zeros(60, dtype=int), rng)
    assert one_class.left_out == 4
