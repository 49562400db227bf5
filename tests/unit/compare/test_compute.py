"""The comparison counts what is there, leaves out both sides of what is not, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdeval.compare.comparison import Cell
from kdeval.compare.compute import compare_run
from kdeval.stats.means.paired import paired_difference, retention
from kdeval.store.run_directory import RunDirectory

WriteRun = Callable[..., RunDirectory]


def _row(ref: str, teacher: str, student: str, **rest: Any) -> dict[str, Any]:
    return {"ref": ref, "teacher": teacher, "student": student, **rest}


def _cell(run: RunDirectory, name: str = "all") -> Cell:
    cell = compare_run(run).students[0].cell(suite="x", metric="label", slice=name)
    assert cell is not None
    return cell


def _rows() -> list[dict[str, Any]]:
    rows = []
    for index in range(100):
        ref = "yes" if index % 4 else "no"
        wrong = "no" if ref == "yes" else "yes"
        rows.append(
            _row(
                ref,
                wrong if index % 10 == 0 else ref,
                wrong if index % 10 == 0 or index % 25 == 3 else ref,
                part="a" if index < 60 else "b",
            )
        )
    return rows


def test_every_figure_of_a_cell(write_run: WriteRun) -> None:
    """n, scores, flips, agreement, majority and chance, by hand; intervals by the statistics."""
    run = write_run(_rows())
    cell = _cell(run)
    teacher = np.array([row["teacher"] == row["ref"] for row in _rows()], dtype=float)
    student = np.array([row["student"] == row["ref"] for row in _rows()], dtype=float)
    assert (cell.n, cell.missing.total, cell.clusters) == (100, 0, None)
    assert cell.teacher_score.estimate == pytest.approx(0.90)
    assert cell.student_score.estimate == pytest.approx(0.86)
    assert cell.majority == 0.75
    assert cell.chance == 0.5
    assert cell.retention == retention(teacher, student)
    assert cell.difference == paired_difference(teacher, student)
    assert cell.flips is not None
    assert (cell.flips.both_right, cell.flips.lost, cell.flips.gained, cell.flips.both_wrong) == (
        86, 4, 0, 10,
    )  # fmt: skip
    assert cell.both_wrong_same == 10
    assert cell.agreement is not None
    assert cell.agreement.estimate == pytest.approx(0.96)
    assert cell.repeats_teacher_error is not None
    assert cell.repeats_teacher_error.estimate == 1.0
    assert cell.calibration is not None
    assert cell.calibration.reason == "not both models gave probabilities"


def test_slices_partition(write_run: WriteRun) -> None:
    """Each tag value is a cell of its own."""
    run = write_run(_rows())
    assert [_cell(run, name).n for name in ("all", "part=a", "part=b")] == [100, 60, 40]


def test_an_error_drops_the_pair_from_both_sides_and_is_counted(write_run: WriteRun) -> None:
    """Neither an infrastructure error nor an unmarked answer is ever a wrong answer."""
    rows = _rows()
    rows[1]["teacher_error"] = "timeout"
    rows[2]["teacher_error"] = rows[2]["student_error"] = "timeout"
    rows[5]["student_error"] = "out of memory"
    rows[6]["ref"] = None
    run = write_run(rows)
    cell = _cell(run)
    assert cell.n == 96
    assert (cell.missing.teacher_errors, cell.missing.student_errors, cell.missing.unscored) == (
        2, 2, 1,
    )  # fmt: skip
    assert (cell.missing.both_errors, cell.missing.total) == (1, 4)
    assert cell.missing.reasons == {
        "teacher: timeout": 2, "student: timeout": 1, "student: out of memory": 1,
        "nothing to mark": 1,
    }  # fmt: skip
    comparison = compare_run(run).students[0]
    assert comparison.error_share == pytest.approx(0.02)
    assert comparison.teacher_error_share == pytest.approx(0.02)


def test_clusters_widen(write_run: WriteRun) -> None:
    """The same scores in ten clusters that flip together know less."""
    rows = _rows()
    alone = _cell(write_run(rows)).retention
    for index, row in enumerate(sorted(rows, key=lambda row: row["student"] == row["ref"])):
        row["cluster"] = f"c{index // 10}"
    together = _cell(write_run(rows))
    assert together.clusters == 10
    assert alone.low is not None
    assert together.retention.low is not None
    assert together.retention.low < alone.low


def test_retention_is_refused_where_the_teacher_only_guesses(write_run: WriteRun) -> None:
    """A ratio to a coin is no retention."""
    rows = [_row("yes" if i % 2 else "no", "yes", "yes" if i % 2 else "no") for i in range(80)]
    cell = _cell(write_run(rows))
    assert cell.retention.estimate is None
    assert cell.retention.reason is not None
    assert "guessing" in cell.retention.reason
    assert cell.difference.estimate == pytest.approx(0.5)


def test_nothing_complete_is_said(write_run: WriteRun) -> None:
    """No pair: no number, a reason, and a note."""
    rows = [_row("yes", "yes", "yes", student_error="down") for _ in range(5)]
    run = write_run(rows)
    cell = _cell(run)
    assert cell.n == 0
    assert cell.retention.estimate is None
    assert cell.teacher_score.estimate is None
    assert any("no complete pair" in note for note in compare_run(run).notes)


def test_a_teacher_below_the_majority_is_noted(write_run: WriteRun) -> None:
    """Retention above 1 is no success when the teacher loses to a constant answer."""
    rows = [
        _row("yes" if i % 5 else "no", "yes" if i % 3 else "no", "yes", part="tweets")
        for i in range(100)
    ]
    assert any("majority" in note for note in compare_run(write_run(rows)).notes)


def test_calibration_of_both(write_run: WriteRun) -> None:
    """Figures of both, the paired Brier difference, and a temperature judged on other samples."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(600):
        p = float(rng.uniform(0.05, 0.95))
        ref = "yes" if rng.random() < p else "no"
        logit = 3 * np.log(p / (1 - p))
        over = float(1 / (1 + np.exp(-logit)))
        answer = "yes" if p > 0.5 else "no"
        rows.append(_row(ref, answer, answer, teacher_p=p, student_p=over))
    calibration = _cell(write_run(rows)).calibration
    assert calibration is not None
    assert calibration.teacher is not None
    assert calibration.student is not None
    assert calibration.teacher.ece_p_value > 0.01 > calibration.student.ece_p_value
    assert calibration.brier_difference is not None
    assert calibration.brier_difference.low is not None
    assert calibration.brier_difference.low > 0
    assert calibration.student.temperature == pytest.approx(3, rel=0.3)
    assert calibration.student.ece_scaled < calibration.student.ece_unscaled
    assert calibration.student.n_temperature + calibration.student.n_scaled == 600


def test_a_certain_and_wrong_probability_is_counted(write_run: WriteRun) -> None:
    """Log-loss is infinite then: no number stands in for it."""
    rows = [_row("yes", "yes", "yes", teacher_p=0.9, student_p=0.8) for _ in range(70)]
    rows[3]["student_p"] = 0.0
    calibration = _cell(write_run(rows)).calibration
    assert calibration is not None
    assert calibration.student is not None
    assert calibration.student.infinite_log_losses == 1
    assert calibration.student.log_loss is None
    assert calibration.log_loss_difference is not None
    assert calibration.log_loss_difference.estimate is None
    assert calibration.brier_difference is not None
    assert calibration.brier_difference.estimate is not None
