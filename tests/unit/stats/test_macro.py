"""Macro averages over tasks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kdeval.stats import (
    TaskScores,
    macro_difference,
    macro_mean,
    macro_retention,
    macro_retention_p_value,
    mean,
    paired_difference,
    retention,
)


def task(name: str, counts, clusters=None) -> TaskScores:
    """Both right, student only, teacher only, both wrong."""
    return TaskScores(
        name=name,
        teacher=np.repeat([1.0, 0, 1, 0], counts),
        student=np.repeat([1.0, 1, 0, 0], counts),
        clusters=clusters,
    )


def real(rng, n: int, name: str = "real", keep: float = 0.9, clusters=None) -> TaskScores:
    teacher = rng.uniform(0.3, 0.9, n)
    student = np.clip(keep * teacher + rng.normal(0, 0.05, n), 0, 1)
    return TaskScores(name=name, teacher=teacher, student=student, clusters=clusters)


@pytest.mark.parametrize("clustered", [False, True])
def test_one_task_is_the_task_itself(clustered: bool) -> None:
    """Retention, difference and mean of a single binary task, with and without clusters."""
    codes = np.repeat(np.arange(20), 10) if clustered else None
    single = task("a", (170, 8, 12, 10), codes)
    t, s = single.teacher, single.student
    for macro, plain in (
        (macro_retention([single]), retention(t, s, clusters=codes)),
        (macro_difference([single]), paired_difference(t, s, clusters=codes)),
        (macro_mean([single], "student"), mean(s, clusters=codes)),
    ):
        assert macro.estimate == pytest.approx(plain.estimate)
        assert (macro.low, macro.high) == pytest.approx((plain.low, plain.high), abs=1e-6)
        assert (macro.n, macro.clusters) == (plain.n, plain.clusters)


def test_one_real_task_is_fiellers() -> None:
    single = real(np.random.default_rng(1), 40)
    plain = retention(single.teacher, single.student)
    found = macro_retention([single])
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert found.method == "macro retention, Fieller, variances summed"
    difference = macro_difference([single])
    plain = paired_difference(single.teacher, single.student)
    assert (difference.low, difference.high) == pytest.approx((plain.low, plain.high))


def test_several_real_tasks_by_hand() -> None:
    """Fieller's quadratic with the covariances added up and Welch-Satterthwaite's t."""
    rng = np.random.default_rng(2)
    tasks = [real(rng, 30), real(rng, 80, keep=0.8), real(rng, 15, keep=1.0)]
    found = macro_retention(tasks)
    means = np.array([[x.student.mean(), x.teacher.mean()] for x in tasks]).sum(axis=0)
    covariances = [np.cov([x.student, x.teacher]) / len(x.teacher) for x in tasks]
    ratio = means[0] / means[1]
    w = np.array([1, -ratio])
    parts = np.array([w @ c @ w for c in covariances])
    dof = parts.sum() ** 2 / (parts**2 / [29, 79, 14]).sum()
    t2, v = stats.t.isf(0.025, dof) ** 2, sum(covariances)
    a, b = means[1] ** 2 - t2 * v[1, 1], means[0] * means[1] - t2 * v[0, 1]
    root = math.sqrt(b**2 - a * (means[0] ** 2 - t2 * v[0, 0]))
    assert found.estimate == pytest.approx(ratio)
    assert (found.low, found.high) == pytest.approx(((b - root) / a, (b + root) / a))


def test_a_small_task_without_a_flip_keeps_its_uncertainty() -> None:
    """20 flipless samples beside thousands count a third, and nobody knows them to a point."""
    large = task("large", (4500, 100, 100, 300))
    found = macro_retention([task("tiny", (18, 0, 0, 2)), large, large])
    alone = macro_retention([large, large])
    assert found.high - found.low > 3 * (alone.high - alone.low)


def test_tasks_that_do_not_vary_never_give_a_point() -> None:
    """A student that copies real scores: an interval around 1, wider with fewer samples."""
    widths = []
    for n in (10, 100, 1000):
        same = np.full(n, 0.7)
        tasks = [TaskScores(name=str(k), teacher=same, student=same) for k in range(3)]
        found = macro_retention(tasks)
        assert found.low < 1 < found.high
        widths.append(found.high - found.low)
        difference = macro_difference(tasks)
        assert difference.low < 0 < difference.high
    assert widths == sorted(widths, reverse=True)


def test_a_teacher_near_zero_on_one_task_moves_nothing_much() -> None:
    """The mean of ratios would explode; the ratio of means does not."""
    good = [task("a", (850, 30, 50, 70)), task("b", (800, 40, 60, 100))]
    weak = task("weak", (0, 5, 1, 994))
    found = macro_retention([*good, weak])
    assert found.estimate == pytest.approx((0.88 + 0.84 + 0.005) / (0.9 + 0.86 + 0.001))
    assert found.high - found.low < 0.06


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ([task("a", (0, 1, 0, 9)), task("b", (0, 0, 0, 5))], "teacher's macro mean is not above"),
        (
            [task("a", (9, 0, 0, 1)), task("b", (9, 0, 0, 1), np.zeros(10, dtype=int))],
            "b: all samples share one cluster",
        ),
        (
            [task("a", (9, 0, 0, 1)), TaskScores(name="c", teacher=[0.5], student=[0.4])],
            "c: one sample shows no spread",
        ),
        (
            [task("a", (9, 0, 0, 1)), TaskScores(name="d", teacher=[5, 5], student=[5, 5])],
            "d: the scores do not vary and are not limited",
        ),
    ],
)
def test_what_cannot_be_bounded_is_said(tasks, reason: str) -> None:
    found = macro_retention(tasks)
    assert (found.low, found.high) == (None, None)
    assert reason in found.reason


def test_a_teacher_not_clearly_above_zero_has_no_ends() -> None:
    rng = np.random.default_rng(3)
    teacher = rng.normal(0, 1, 40)
    noise = TaskScores(name="x", teacher=teacher - teacher.mean() + 0.05, student=teacher)
    found = macro_retention([noise, noise])
    assert (found.low, found.high) == (None, None)
    assert "not clearly above zero" in found.reason


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [TaskScores(name="x", teacher=[], student=[])],
        [TaskScores(name="x", teacher=[1.0], student=[1.0, 0.0])],
    ],
)
def test_no_task_and_empty_tasks_are_refused(bad) -> None:
    with pytest.raises(ValueError, match="at least one"):
        macro_retention(bad)


tables = st.lists(
    st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(lambda c: sum(c) > 0),
    min_size=2,
    max_size=4,
)


@given(tables)
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter_and_nothing_is_nan(found) -> None:
    tasks = [task(str(i), c) for i, c in enumerate(found)]
    here, there = macro_difference(tasks), macro_difference(tasks[::-1])
    assert (here.low, here.high) == pytest.approx((there.low, there.high), abs=1e-6)
    assert here.low < here.high
    assert -1 <= here.low <= here.estimate <= here.high <= 1
    ratio = macro_retention(tasks)
    for end in (ratio.low, ratio.high):
        assert end is None or math.isfinite(end)


@given(tables, st.floats(0.5, 1.1), st.floats(0.6, 0.98))
@settings(max_examples=30, deadline=None)
def test_the_p_value_mirrors_the_lower_end(found, threshold: float, level: float) -> None:
    tasks = [task(str(i), c) for i, c in enumerate(found)]
    p = macro_retention_p_value(tasks, threshold=threshold)
    low = macro_retention(tasks, confidence=2 * level - 1).low
    assert 0 <= p <= 1
    if low is not None and abs(low - threshold) > 1e-6:
        assert (p <= 1 - level) == (low >= threshold)


def test_the_p_value_of_real_tasks() -> None:
    rng = np.random.default_rng(7)
    tasks = [real(rng, 30), real(rng, 80, keep=0.8, clusters=np.arange(80) // 4)]
    low = macro_retention(tasks, confidence=0.9).low
    assert macro_retention_p_value(tasks, threshold=low) == pytest.approx(0.05, rel=1e-6)
    nothing = [TaskScores(name="x", teacher=[0.5], student=[0.5])]
    assert macro_retention_p_value(nothing, threshold=0.9) == 1.0
    with pytest.raises(ValueError, match="above 0"):
        macro_retention_p_value(tasks, threshold=0.0)


@given(tables, st.floats(0.6, 0.95))
@settings(max_examples=20, deadline=None)
def test_more_confidence_is_wider(found, confidence: float) -> None:
    tasks = [task(str(i), c) for i, c in enumerate(found)]
    narrow = macro_difference(tasks, confidence=confidence)
    wide = macro_difference(tasks, confidence=confidence + 0.04)
    assert wide.low <= narrow.low + 1e-9
    assert wide.high >= narrow.high - 1e-9
