"""Repeated answers and repeated errors of hand-made runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdeval.compare.compute import compare_run
from kdeval.compare.pair_table import load_pairs
from kdeval.compare.repeated_errors import repeated_by_chance
from kdeval.compare.repeats import repeats_of
from kdeval.compare.selection import selection_of


def found(run: Any) -> Any:
    return repeats_of(run, load_pairs(run), 0.95)


def test_without_repeats_nothing_is_said(write_run: Any) -> None:
    """A teacher that answered once shows no agreement with itself."""
    assert found(write_run([{"ref": "yes", "teacher": "yes", "student": "no"}])) == {}


def test_the_ceiling_is_the_teachers_agreement_with_itself(write_run: Any) -> None:
    """Two of three samples are answered the same twice; the student answers once."""
    rows = [
        {"ref": "a", "teacher": "a", "student": "a", "teacher_samples": ("a", "a")},
        {"ref": "a", "teacher": "b", "student": "c", "teacher_samples": ("b", "b")},
        {"ref": "a", "teacher": "a", "student": "d", "teacher_samples": ("a", "d")},
        {"ref": "a", "teacher": "a", "student": "a"},
    ]
    run = write_run(rows, labels=None)
    [(key, repeats)] = found(run).items()
    assert key[1] == "x"
    assert repeats.n == 3
    assert repeats.teacher.estimate == pytest.approx(2 / 3)
    assert repeats.student is None
    assert repeats.between.estimate == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_student_that_repeats_has_its_own(write_run: Any) -> None:
    """Draws are compared one by one, the voted output does not matter; clusters are kept."""
    rows = [
        {"ref": "a", "teacher": "a", "student": "a", "teacher_samples": ("a", "b"),
         "student_samples": ("b", "b"), "cluster": f"c{index // 2}"}
        for index in range(8)
    ]  # fmt: skip
    [repeats] = found(write_run(rows, labels=None)).values()
    assert repeats.student is not None
    assert repeats.student.estimate == 1
    assert repeats.teacher.estimate == 0
    assert repeats.between.estimate == pytest.approx(0.5)
    assert repeats.teacher.clusters == 4


def test_repeated_errors_beside_chance(write_run: Any) -> None:
    """Of the other samples with that reference, the share given the teacher's wrong output."""
    rows = [
        {"ref": "yes", "teacher": "no", "student": "no"},
        {"ref": "yes", "teacher": "yes", "student": "no"},
        {"ref": "yes", "teacher": "yes", "student": "yes"},
        {"ref": "yes", "teacher": "yes", "student": "yes"},
        {"ref": "no", "teacher": "no", "student": "no"},
    ]
    [cell] = [
        cell for cell in compare_run(write_run(rows)).students[0].cells if cell.slice == "all"
    ]
    assert cell.repeats_teacher_error.estimate == 1
    assert cell.repeats_by_chance == pytest.approx(1 / 3)


def test_chance_is_what_independent_errors_come_to() -> None:
    """Over many worlds the null equals the repeated errors of a student that never looked."""
    rng = np.random.default_rng(0)
    repeated, null = [], []
    for _ in range(300):
        labels = rng.integers(0, 3, 200)
        drawn = [np.where(rng.random(200) < 0.7, labels, rng.integers(0, 3, 200)) for _ in "ab"]
        chosen = _Chosen(labels, *drawn)
        wrong = chosen.teacher == 0
        repeated.append((drawn[0] == drawn[1])[wrong].mean())
        null.append(repeated_by_chance(chosen))  # type: ignore[arg-type]
    assert np.mean(null) == pytest.approx(np.mean(repeated), abs=0.005)


class _Chosen:
    def __init__(self, labels: Any, teacher: Any, student: Any) -> None:
        self.teacher = (labels == teacher).astype(float)
        self.teacher_outputs, self.student_outputs = teacher, student
        self.references = labels.astype(str).astype(object)


def test_free_text_has_no_chance(write_run: Any) -> None:
    """Where no other sample has the reference, nothing tells what chance would be."""
    rows = [{"ref": f"r{i}", "teacher": "x", "student": "x"} for i in range(4)]
    run = write_run(rows, labels=None)
    [table] = load_pairs(run).values()
    assert repeated_by_chance(selection_of(table)) is None


@pytest.mark.parametrize("labels", [3, 40])
def test_chance_by_hand(labels: int) -> None:
    """Against a plain loop over the samples, with few labels and with many."""
    rng = np.random.default_rng(labels)
    reference = np.concatenate([np.arange(labels), rng.integers(0, labels, 60), np.arange(labels)])
    teacher, student = rng.integers(0, 3 * labels, (2, len(reference)))
    chosen = _Chosen(reference, teacher, student)
    shares = []
    for row in np.flatnonzero(teacher != reference):
        others = (reference == reference[row]) & (np.arange(len(reference)) != row)
        shares.append((student[others] == teacher[row]).mean())
    found = repeated_by_chance(chosen)  # type: ignore[arg-type]
    assert found == pytest.approx(np.mean(shares))
