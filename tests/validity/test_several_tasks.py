"""Macro averages, the worst task and Holm's naming over tasks of unequal size."""

import numpy as np
import pytest

from kdeval.stats import TaskScores, holm, retention, retention_p_value, smallest_of
from kdeval.stats.critical import t_critical
from kdeval.stats.means.task_sums import TaskSum, difference_sum, retention_sum, sum_statistic

pytestmark = pytest.mark.validity

# Shares of: both right, student only, teacher only, both wrong.
EASY = (0.85, 0.03, 0.05, 0.07)
HARD = (0.35, 0.10, 0.15, 0.40)
NEAR_ZERO = (0.01, 0.01, 0.02, 0.96)
NO_GAINS = (0.855, 0.0, 0.045, 0.10)
TOP = (0.963, 0.007, 0.017, 0.013)

WORLDS = {
    "20, 50, 200 samples": [(EASY, 20), (EASY, 50), (HARD, 200)],
    "30 flips seldom, beside 300": [(NO_GAINS, 30), (HARD, 300)],
    "one teacher near zero": [(EASY, 100), (TOP, 100), (HARD, 100), (NEAR_ZERO, 60)],
    "five of 20, near perfect": [(TOP, 20)] * 5,
}


def binary(rng, name: str, shares, n: int) -> TaskScores:
    counts = rng.multinomial(n, shares)
    return TaskScores(
        name=name,
        teacher=np.repeat([1.0, 0, 1, 0], counts),
        student=np.repeat([1.0, 1, 0, 0], counts),
    )


def misses(made: list[TaskSum], truth: float) -> np.ndarray:
    """Whether the one-sided 5 % bounds, which invert this test, lie above and below the truth."""
    z, dof = sum_statistic(made, truth, below=True)
    above = z > t_critical(0.9, dof)
    z, dof = sum_statistic(made, truth, below=False)
    return np.array([above, z < -t_critical(0.9, dof)])


@pytest.mark.parametrize("world", WORLDS)
def test_macro_of_binary_tasks(world: str, asymptotic) -> None:
    tasks, trials = WORLDS[world], 1500
    rng = np.random.default_rng([len(tasks), tasks[0][1], 11])
    ratio = sum(w[0] + w[1] for w, _ in tasks) / sum(w[0] + w[2] for w, _ in tasks)
    gap = sum(w[1] - w[2] for w, _ in tasks) / len(tasks)
    errors, differences = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for _ in range(trials):
        drawn = [binary(rng, str(i), w, n) for i, (w, n) in enumerate(tasks)]
        errors += misses([retention_sum(task) for task in drawn], ratio)
        differences += misses([difference_sum(task) for task in drawn], gap)
    for name, found in (("macro retention", errors), ("macro difference", differences)):
        asymptotic(f"{name}, false pass", world, found[0], trials, 0.05)
        asymptotic(f"{name}, false fail", world, found[1], trials, 0.05)


def test_macro_of_real_and_clustered_tasks(asymptotic) -> None:
    """Fieller alone; then beside a binary task; the control leaves the clusters out."""
    rng, trials = np.random.default_rng(12), 2500
    codes = np.repeat(np.arange(25), 8)
    errors, alone, naive = (np.zeros(2, dtype=int) for _ in range(3))
    ratio = (0.9 * 0.65 + 0.8 * 0.5) / (0.65 + 0.5)
    every = (0.9 * 0.65 + 0.8 * 0.5 + 0.88) / (0.65 + 0.5 + 0.90)
    for _ in range(trials):
        shared = rng.normal(0, 0.1, 25)[codes]
        teacher = rng.uniform(0.4, 0.9, 200)
        student = 0.9 * teacher + shared
        clustered = TaskScores(name="c", teacher=teacher, student=student, clusters=codes)
        loose = TaskScores(name="c", teacher=teacher, student=student)
        plain = rng.uniform(0.2, 0.8, 60)
        real = TaskScores(name="r", teacher=plain, student=0.8 * plain + rng.normal(0, 0.1, 60))
        right = binary(rng, "b", EASY, 100)
        alone += misses([retention_sum(x) for x in (clustered, real)], ratio)
        naive += misses([retention_sum(x) for x in (loose, real)], ratio)
        errors += misses([retention_sum(x) for x in (clustered, real, right)], every)
    for name, found in (("real tasks, Fieller", alone), ("real, clustered, binary", errors)):
        asymptotic("macro retention, false pass", name, found[0], trials, 0.05)
        asymptotic("macro retention, false fail", name, found[1], trials, 0.05)
    with pytest.raises(AssertionError, match="promised at most"):
        asymptotic("control: macro, clusters ignored", "ICC .8", naive[0], trials, 0.05)


def test_macro_of_clustered_binary_tasks(asymptotic) -> None:
    """Losses that fill clusters, in tasks of 20 and 40 clusters."""
    rng, trials, errors = np.random.default_rng(13), 1500, np.zeros(2, dtype=int)
    for _ in range(trials):
        drawn = []
        for groups in (20, 40):
            codes = np.repeat(np.arange(groups), 10)
            teacher = rng.random(len(codes)) < 0.9
            lost = rng.random(len(codes)) < rng.beta(0.2, 3.8, groups)[codes]
            student = teacher & ~lost
            drawn.append(
                TaskScores(name="x", teacher=teacher * 1.0, student=student * 1.0, clusters=codes)
            )
        errors += misses([retention_sum(task) for task in drawn], 0.95)
    asymptotic("macro retention, false pass", "20 and 40 clusters of 10", errors[0], trials, 0.05)
    asymptotic("macro retention, false fail", "20 and 40 clusters of 10", errors[1], trials, 0.05)


@pytest.mark.parametrize("alike", [True, False])
def test_worst_task(alike: bool, asymptotic) -> None:
    """Plain minimum of lower bounds, corrected minimum of upper ones: neither errs more often."""
    rng, trials, errors = np.random.default_rng([14, alike]), 300, np.zeros(2, dtype=int)
    naive = 0
    tasks = [(EASY, 150)] * 6 if alike else [(EASY, 150), (TOP, 60), (TOP, 300), (NO_GAINS, 40)]
    truth = min((w[0] + w[1]) / (w[0] + w[2]) for w, _ in tasks)
    for _ in range(trials):
        drawn = [binary(rng, str(i), w, n) for i, (w, n) in enumerate(tasks)]

        def interval_at(i: int, confidence: float, drawn=drawn):
            return retention(drawn[i].teacher, drawn[i].student, confidence=confidence)

        _, found = smallest_of(interval_at, len(drawn), confidence=0.9)
        errors += np.array([found.low > truth, found.high < truth])
        naive += min(interval_at(i, 0.9).high for i in range(len(drawn))) < truth
    world = "six tasks alike" if alike else "four unlike tasks"
    asymptotic("worst task, lower bound", world, errors[0], trials, 0.05)
    asymptotic("worst task, upper bound", world, errors[1], trials, 0.05)
    if alike:
        with pytest.raises(AssertionError, match="promised at most"):
            asymptotic("control: minimum of upper bounds", world, naive, trials, 0.05)


@pytest.mark.parametrize("good", [0, 4])
def test_holm_names_no_bad_task(good: int, asymptotic) -> None:
    """Eight tasks, some exactly at the threshold: any of those named is an error."""
    rng, trials, errors, naive = np.random.default_rng([15, good]), 1500, 0, 0
    at, above = (0.82, 0.0306, 0.1, 0.0494), (0.92, 0.01, 0.0, 0.07)
    threshold = (at[0] + at[1]) / (at[0] + at[2])
    for _ in range(trials):
        p = []
        for index in range(8):
            task = binary(rng, "x", above if index < good else at, 200)
            p.append(retention_p_value(task.teacher, task.student, threshold=threshold))
        errors += any(index >= good for index in holm(p, error=0.05))
        naive += any(p[index] <= 0.05 for index in range(good, 8))
    world = f"{good} good of 8 tasks, the rest at the limit"
    asymptotic("Holm, any task named wrongly", world, errors, trials, 0.05)
    with pytest.raises(AssertionError, match="promised at most"):
        asymptotic("control: uncorrected naming", world, naive, trials, 0.05)


def test_every_task_needs_no_correction(asymptotic) -> None:
    """All must pass: with one bad task among good ones, the whole passes as rarely as it alone."""
    rng, trials, errors = np.random.default_rng(16), 3000, 0
    at, above = (0.82, 0.0306, 0.1, 0.0494), (0.98, 0.0, 0.0, 0.02)
    threshold = (at[0] + at[1]) / (at[0] + at[2])
    for _ in range(trials):
        drawn = [binary(rng, "x", w, 200) for w in (at, above, above, above)]
        errors += all(
            retention_p_value(x.teacher, x.student, threshold=threshold) <= 0.05 for x in drawn
        )
    asymptotic("every task, false pass", "one bad task of 4", errors, trials, 0.05)
