"""Imitation and reliability of hand-made pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdeval.compare.comparison import Missing
from kdeval.compare.fidelity import fidelity
from kdeval.compare.reliability import reliability
from kdeval.compare.selection import Probabilities, Selection
from kdeval.stats.binomial import clopper_pearson


def selection(
    teacher: list[list[float]], student: list[list[float]], labels: list[int], **changes: Any
) -> Selection:
    t, s, y = np.array(teacher), np.array(student), np.array(labels)
    with np.errstate(divide="ignore"):
        logs = Probabilities(rows=np.arange(len(y)), teacher=np.log(t), student=np.log(s), labels=y)
    made: dict[str, Any] = {
        "teacher": (t.argmax(axis=1) == y).astype(float),
        "student": (s.argmax(axis=1) == y).astype(float),
        "clusters": None,
        "ids": np.arange(len(y)).astype(object),
        "content_hashes": np.arange(len(y)).astype(object),
        "missing": Missing(teacher_errors=0, student_errors=0, unscored=0, reasons={}),
        "teacher_outputs": t.argmax(axis=1),
        "student_outputs": s.argmax(axis=1),
        "references": y.astype(object),
        "chance": 0.5,
        "probabilities": logs,
    }
    return Selection(**made | changes)


def test_divergences_by_hand() -> None:
    """KL in nats and Jensen-Shannon in bits, split by whether the teacher is right."""
    chosen = selection([[0.9, 0.1], [0.5, 0.5]], [[0.6, 0.4], [0.5, 0.5]], [0, 1])
    whole, right, wrong = fidelity(chosen, confidence=0.95)
    assert [part.teacher_was for part in (whole, right, wrong)] == ["any", "right", "wrong"]
    assert (whole.n, right.n, wrong.n) == (2, 1, 1)
    assert right.kl is not None
    assert right.kl.estimate == pytest.approx(0.9 * np.log(1.5) + 0.1 * np.log(0.25))
    assert wrong.kl is not None
    assert wrong.kl.estimate == 0
    assert right.js is not None
    middle = np.array([0.75, 0.25])
    expected = sum(
        0.5 * float(np.sum(p * np.log2(p / middle)))
        for p in (np.array([0.9, 0.1]), np.array([0.6, 0.4]))
    )
    assert right.js.estimate == pytest.approx(expected)
    assert whole.agreement is not None
    assert whole.agreement.estimate == 1


def test_nothing_bounds_a_divergence_in_nats() -> None:
    """A copy of the teacher: JS lies between 0 and 1 bit, KL may be anything on other samples."""
    same = [[0.9, 0.1], [0.5, 0.5]] * 10
    whole = fidelity(selection(same, same, [0, 1] * 10), confidence=0.95)[0]
    assert whole.kl is not None
    assert whole.js is not None
    assert (whole.kl.estimate, whole.kl.low, whole.kl.high) == (0, None, None)
    assert whole.js.high is not None
    assert 0 < whole.js.high < 1


def test_an_infinite_divergence_is_counted_and_not_averaged() -> None:
    """The student gives 0 to what the teacher holds possible; Jensen-Shannon stays finite."""
    chosen = selection([[0.5, 0.5]] * 3, [[1.0, 0.0], [0.5, 0.5], [0.4, 0.6]], [0, 0, 0])
    whole = fidelity(chosen, confidence=0.95)[0]
    assert whole.infinite_kl == 1
    assert whole.kl is not None
    assert whole.kl.estimate is None
    assert "infinite on 1" in (whole.kl.reason or "")
    assert whole.js is not None
    assert whole.js.estimate is not None


def test_a_zero_of_both_adds_nothing() -> None:
    """0 log 0 is 0: the same certain answer has no divergence, opposite ones have one bit."""
    chosen = selection([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [0, 0])
    whole = fidelity(chosen, confidence=0.95)[0]
    assert whole.js is not None
    assert whole.js.estimate == pytest.approx(0.5)


def test_nothing_known_is_nothing_said() -> None:
    """Without outputs and probabilities there is no imitation and no diagram."""
    chosen = selection(
        [[0.5, 0.5]], [[0.5, 0.5]], [0],
        probabilities=None, teacher_outputs=None, student_outputs=None,
    )  # fmt: skip
    assert fidelity(chosen, confidence=0.95) == ()
    assert reliability(chosen, confidence=0.95) is None


def test_bins_hold_every_sample_with_an_exact_interval() -> None:
    """Bins of equal mass; the band is Clopper-Pearson at the run's confidence."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1.0, 500)
    labels = (rng.random(500) > p).astype(int)
    both = np.stack([p, 1 - p], axis=1).tolist()
    found = reliability(selection(both, both, labels.tolist()), confidence=0.9)
    assert found is not None
    assert found.teacher == found.student
    assert [item.n for item in found.teacher] == [50] * 10
    assert [item.confidence for item in found.teacher] == sorted(
        item.confidence for item in found.teacher
    )
    first = found.teacher[0].accuracy
    assert first.estimate is not None
    assert first == clopper_pearson(round(first.estimate * 50), 50, confidence=0.9)


def test_divergences_at_the_distillation_temperature_too() -> None:
    """Both distributions are flattened, so they come closer; at 1 nothing is told twice."""
    teacher, student = [[0.9, 0.1], [0.8, 0.2]], [[0.3, 0.7], [0.6, 0.4]]
    whole = fidelity(selection(teacher, student, [0, 1]), confidence=0.95, temperature=4.0)[0]
    plain, hot = whole.apart
    assert (plain.temperature, hot.temperature) == (1.0, 4.0)
    assert plain.kl == whole.kl
    flat = np.array([[p**0.25 for p in row] for row in (*teacher, *student)])
    p, q = np.split(flat / flat.sum(axis=1, keepdims=True), 2)
    assert hot.kl.estimate == pytest.approx(float((p * np.log(p / q)).sum(axis=1).mean()))
    assert plain.tv.estimate == pytest.approx(0.4)
    assert hot.teacher_entropy > plain.teacher_entropy
    assert len(fidelity(selection(teacher, student, [0, 1]), confidence=0.95)[0].apart) == 1
