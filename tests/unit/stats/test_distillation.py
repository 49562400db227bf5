"""Teacher and student over temperatures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from kdeval.stats import distillation_temperature, scale, student_temperature
from kdeval.stats.fidelity.distillation import TEMPERATURES


def logits(rng: np.random.Generator, n: int = 400, k: int = 5) -> np.ndarray:
    return log_softmax(3 * rng.standard_normal((n, k)), axis=1)


def test_figures_equal_scipys(rng: np.random.Generator) -> None:
    teacher, student = logits(rng, 50), logits(rng, 50)
    labels = teacher.argmax(axis=1)
    found = distillation_temperature(teacher, student, labels, rng)
    assert tuple(step.temperature for step in found.steps) == TEMPERATURES
    for step in found.steps:
        p, q = (softmax(x / step.temperature, axis=1) for x in (teacher, student))
        assert step.teacher_entropy == pytest.approx(entropy(p, axis=1).mean())
        assert step.kl == pytest.approx(entropy(p, q, axis=1).mean())
        assert step.non_target == pytest.approx((1 - p.max(axis=1)).mean())
        assert step.lost == pytest.approx(step.kl / (math.log(5) - step.teacher_entropy))
    assert found.low <= found.closest <= found.high


def test_a_student_that_learned_the_dark_knowledge_alone_is_closest_when_soft(
    rng: np.random.Generator,
) -> None:
    """It ranks all classes as the teacher does, but its first one is often another's."""
    teacher = logits(rng, 1000, 10)
    student = np.minimum(teacher, np.sort(teacher, axis=1)[:, [-3]])
    labels = teacher.argmax(axis=1)
    soft = distillation_temperature(teacher, student, labels, rng)
    assert soft.low > 1.0
    sharp = distillation_temperature(
        teacher,
        np.where(teacher >= np.sort(teacher, axis=1)[:, [-2]], teacher, -8.0),
        labels,
        rng,
    )
    assert sharp.closest < soft.closest


def test_copies_of_samples_add_no_evidence(rng: np.random.Generator) -> None:
    """Twenty copies of each sample narrow the interval, unless they are told to be clusters."""
    few = logits(rng, 30)
    noisy = log_softmax(few + 2 * rng.standard_normal(few.shape), axis=1)
    teacher, student = np.repeat(few, 20, axis=0), np.repeat(noisy, 20, axis=0)
    labels = teacher.argmax(axis=1)
    alone = distillation_temperature(few, noisy, labels[::20], rng)
    copied = distillation_temperature(teacher, student, labels, rng)
    told = distillation_temperature(
        teacher, student, labels, rng, clusters=np.repeat(np.arange(30), 20)
    )
    assert told.closest == copied.closest == alone.closest
    assert (told.low, told.high) == (alone.low, alone.high)
    assert copied.high - copied.low < told.high - told.low
    one = distillation_temperature(teacher, student, labels, rng, clusters=np.zeros(600, int))
    assert (one.low, one.high) == (None, None)


def test_what_has_no_closest_temperature_says_why(rng: np.random.Generator) -> None:
    teacher = logits(rng, 20)
    labels = np.zeros(20, dtype=int)
    copy = distillation_temperature(teacher, teacher, labels, rng)
    assert (copy.closest, copy.reason) == (None, "the student is equal at every temperature")
    flat = distillation_temperature(np.log(np.full((20, 5), 0.2)), teacher, labels, rng)
    assert flat.reason == "the teacher is uniform: it says nothing"
    never = teacher.copy()
    never[3, 1] = -np.inf
    infinite = distillation_temperature(teacher, never, labels, rng)
    assert (infinite.infinite, infinite.steps[0].kl, infinite.steps[0].lost) == (1, None, None)
    assert "gives 0" in infinite.reason
    assert infinite.steps[0].teacher_entropy > 0
    hard = distillation_temperature(never, teacher, labels, rng)
    assert hard.closest is not None
    empty = distillation_temperature(teacher[:0], teacher[:0], labels[:0], rng)
    assert (empty.n, empty.steps, empty.reason) == (0, (), "no samples")
    with pytest.raises(ValueError, match="must rise"):
        distillation_temperature(teacher, teacher, labels, rng, temperatures=(2.0, 1.0))
    with pytest.raises(ValueError, match="n labels"):
        distillation_temperature(teacher, teacher[:, :3], labels, rng)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 2**31))
def test_order_and_names_do_not_matter(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    teacher, student, labels = logits(rng, n, k), logits(rng, n, k), rng.integers(0, k, n)
    order, names = rng.permutation(n), rng.permutation(k)
    found = distillation_temperature(teacher, student, labels, rng, resamples=20)
    other = distillation_temperature(
        teacher[order][:, names], student[order][:, names], np.argsort(names)[labels[order]], rng,
        resamples=20,
    )  # fmt: skip
    for a, b in zip(found.steps, other.steps, strict=True):
        assert b.kl == pytest.approx(a.kl)
        assert b.non_target == pytest.approx(a.non_target)
        assert a.kl >= 0
        assert 0 <= a.non_target <= 1
    assert [step.teacher_entropy for step in found.steps] == sorted(
        step.teacher_entropy for step in found.steps
    )


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_a_scaled_teacher_is_scaled_back(rng: np.random.Generator, truth: float) -> None:
    teacher = logits(rng)
    found = student_temperature(teacher, teacher * truth)
    assert found.estimate == pytest.approx(truth, rel=1e-4)
    noisy = log_softmax(truth * (teacher + rng.standard_normal(teacher.shape)), axis=1)
    noise = student_temperature(teacher, noisy)
    assert noise.low < noise.estimate < noise.high
    loss = entropy(np.exp(teacher), np.exp(scale(noisy, noise.estimate)), axis=1).mean()
    for other in (0.9, 1.1):
        worse = entropy(
            np.exp(teacher), np.exp(scale(noisy, noise.estimate * other)), axis=1
        ).mean()
        assert worse > loss


def test_a_sharpness_that_cannot_be_told_says_why(rng: np.random.Generator) -> None:
    teacher = logits(rng, 20)
    never = teacher.copy()
    never[0, 0] = -np.inf
    for student, words in (
        (never, "gives 0"),
        (np.log(np.full((20, 5), 0.2)), "uniform"),
        (-teacher, "lies outside"),
        (teacher[:, ::-1] * 0.001 + teacher * 1000, "lies outside"),
    ):
        found = student_temperature(teacher, student)
        assert found.estimate is None
        assert words in found.reason
    both = student_temperature(never, never)
    assert both.estimate == pytest.approx(1.0, rel=1e-4)
    assert (both.low, both.high) == (None, None)
    assert "all samples say the same" in both.reason
    assert student_temperature(teacher[:0], teacher[:0]).reason == "no samples"
    single = student_temperature(teacher[:1], log_softmax(teacher[:1] * 2, axis=1))
    assert (single.estimate, single.low) == (pytest.approx(2.0, rel=1e-4), None)
    clusters = np.repeat(np.arange(10), 2)
    student = log_softmax(teacher + rng.standard_normal((20, 5)), axis=1)
    assert student_temperature(teacher, student, clusters=clusters).clusters == 10
    with pytest.raises(ValueError, match="one shape"):
        student_temperature(teacher, teacher[:5])
