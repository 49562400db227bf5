"""Calibration of whole suites, from probabilities, a recorded confidence or log-probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdeval.compare.calibration import compare_calibration
from kdeval.compare.calibration_details import CalibrationDetails, calibration_details
from kdeval.compare.halves import fitting_half
from kdeval.compare.reliability import reliability
from kdeval.compare.selection import load_pairs, selection_of
from kdeval.report.details import details_of
from kdeval.report.strict_json import json_text
from kdeval.stats import confidence_figures, proper_figures
from kdeval.store.run_directory import RunDirectory

WriteRun = Callable[..., RunDirectory]


def details(run: RunDirectory) -> CalibrationDetails | None:
    table = load_pairs(run)["student", "x", "label"]
    return calibration_details(table, selection_of(table), confidence=0.95, seed=0)


def probable(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    """The teacher is calibrated, the student three times too sure on the log-odds scale."""
    rows = []
    for p in 1 / (1 + np.exp(-1.5 * rng.standard_normal(n))):
        odds = (p / (1 - p)) ** 3 * math.exp(rng.normal(0, 0.01))
        sharp = odds / (1 + odds)
        rows.append(
            {
                "ref": "yes" if rng.random() < p else "no",
                "teacher": "yes" if p > 0.5 else "no",
                "student": "yes" if p > 0.5 else "no",
                "teacher_p": p,
                "student_p": sharp,
            }
        )
    return rows


def told(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    """Answers of which only a confidence is known, in words full of ties."""
    rows = []
    for _ in range(n):
        sure = float(rng.choice([0.6, 0.8, 0.9, 0.95, 1.0]))
        rows.append(
            {
                "ref": "yes",
                "teacher": "yes" if rng.random() < 0.95 else "no",
                "student": "yes" if rng.random() < sure - 0.15 else "no",
                "student_confidence": sure,
            }
        )
    return rows


def test_probabilities_of_both(write_run: WriteRun) -> None:
    found = details(write_run(probable(np.random.default_rng(1), 800)))
    assert found is not None
    assert found.teacher is not None
    assert found.student is not None
    assert (found.teacher_reason, found.student_reason, found.clustered) == (None, None, False)
    assert found.teacher.source == found.student.source == "probabilities"
    assert (found.student.figures.n, found.student.without) == (800, 0)
    assert found.teacher.figures.smooth_ece.p_value > 0.01 > found.student.figures.ks.p_value
    assert found.student.class_names == ("no", "yes")
    assert len(found.student.classes.classes) == 2
    assert found.student.parts.reliability > 3 * found.teacher.parts.reliability
    assert found.student.calibrator.name == "Platt"
    assert found.student.calibrator.parameters["b"] == pytest.approx(1 / 3, rel=0.4)
    assert found.student.calibrator.brier_change.high < 0
    assert found.student_temperature.estimate == pytest.approx(3, rel=0.01)
    assert found.temperature.n == 800
    table = load_pairs(write_run(probable(np.random.default_rng(1), 80)))["student", "x", "label"]
    other = calibration_details(
        table, selection_of(table), confidence=0.9, seed=0, distilled_at=2.5
    )
    assert other.temperature.steps[3].temperature == other.distilled_at == 2.5
    assert [item.asked for item in found.student.kept] == [0.8, 0.9, 0.95]


@pytest.mark.parametrize("n", [90, 1500])
def test_a_suite_has_one_ece_and_one_null_of_it(write_run: WriteRun, n: int) -> None:
    """The cell's, in tables of slices, and the details', beside other figures, are the same."""
    run = write_run(probable(np.random.default_rng(3), n))
    found = details(run)
    table = load_pairs(run)["student", "x", "label"]
    cell = compare_calibration(selection_of(table), kind="classification", confidence=0.95, seed=0)
    for side in ("teacher", "student"):
        one, other = getattr(cell, side), getattr(found, side).figures.ece_equal_mass
        assert one.ece == pytest.approx(other.estimate, abs=1e-12)
        assert (one.ece_null, one.ece_p_value) == (other.expected, other.p_value)


def test_few_probabilities_get_a_temperature_of_all_classes(write_run: WriteRun) -> None:
    found = details(write_run(probable(np.random.default_rng(2), 150)))
    assert found is not None
    assert found.student.calibrator.name == "temperature"
    assert found.student.calibrator.parameters["T"] == pytest.approx(3, rel=0.5)


def test_a_recorded_confidence_stands_in_for_probabilities(write_run: WriteRun) -> None:
    """The teacher tells nothing: the student is judged alone, on its ties."""
    run = write_run(told(np.random.default_rng(3), 400))
    found = details(run)
    assert found is not None
    assert found.teacher is None
    assert found.teacher_reason == (
        "neither probabilities, a confidence nor log-probabilities of its answers are known"
    )
    student = found.student
    assert student.source == "confidence"
    assert student.classes is None
    assert (found.temperature, found.student_temperature) == (None, None)
    assert student.figures.debiased_l2.p_value < 0.01
    assert student.proper.brier.estimate > student.proper.brier.expected
    assert student.proper.infinite_log_losses > 0
    assert student.proper.log_loss.estimate is None
    assert student.calibrator.after.log_loss is not None
    assert student.kept[0].coverage >= 0.8
    assert len(student.curve.coverage) == 5
    table = load_pairs(run)["student", "x", "label"]
    bins = reliability(selection_of(table), confidence=0.95, table=table)
    assert bins.teacher == ()
    assert sum(item.n for item in bins.student) == 400


def test_log_probabilities_of_texts_rank_but_are_no_probabilities(write_run: WriteRun) -> None:
    """Length-normalised log-probability, always through Platt; ranking needs no scale."""
    rng = np.random.default_rng(4)
    rows = told(rng, 300)
    for row in rows:
        row["student_confidence"] = None
        row["student_mean_log_prob"] = -abs(rng.normal(0.2 + (row["student"] == "no"), 0.5))
    run = write_run(rows, labels=None)
    student = details(run).student
    assert student.source == "mean_log_prob"
    assert student.figures.ks.estimate is None
    assert student.figures.ks.reason == "it is no probability of being right"
    assert (student.proper, student.parts) == (None, None)
    assert student.auroc.low > 0.8
    assert student.figures.auroc.estimate == pytest.approx(student.auroc.estimate)
    assert student.calibrator.name == "Platt"
    assert student.calibrator.before is None
    assert student.calibrator.after.ece.p_value > 0.001
    table = load_pairs(run)["student", "x", "label"]
    assert reliability(selection_of(table), confidence=0.95, table=table) is None


def test_what_cannot_be_told_is_none_with_a_reason(write_run: WriteRun) -> None:
    graded = [
        {"ref": "yes", "teacher_score": 0.7, "student_score": 0.6, "student_confidence": 0.5}
    ] * 5
    assert details(write_run(graded, labels=None)) is None
    silent = [{"ref": "yes", "teacher": "yes", "student": "no"}] * 3
    assert details(write_run(silent)) is None
    missing = [{"ref": "yes", "teacher_error": "gone", "student": "no", "student_confidence": 1.0}]
    assert details(write_run(missing)) is None


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_tiny_and_certain_suites_are_written_without_a_number_that_lies(
    write_run: WriteRun, n: int, p: float
) -> None:
    """Every number that reaches the document is finite; JSON refuses any other."""
    rows = [{"ref": "yes", "teacher": "yes", "student": "no", "teacher_p": 1.0, "student_p": p}] * n
    run = write_run(rows)
    written = json_text(details_of(run, 0.95))
    found = json.loads(written)[0]["suites"][0]["calibration"]
    assert found["student"]["figures"]["n"] == n
    assert found["student"]["calibrator"]["name"] is None
    assert found["student"]["auroc"]["estimate"] is None
    if p == 0.0:
        assert found["temperature"]["infinite"] == n
        assert found["student"]["proper"]["log_loss"]["estimate"] is None


def test_order_of_samples_does_not_matter(write_run: WriteRun, tmp_path) -> None:
    rng = np.random.default_rng(5)
    rows = probable(rng, 120)
    found = [
        details(write_run([rows[i] for i in order])) for order in (range(120), rng.permutation(120))
    ]
    for name in ("ece_equal_mass", "smooth_ece", "aurc"):
        one, other = (getattr(item.student.figures, name) for item in found)
        assert other.estimate == pytest.approx(one.estimate)
        assert other.p_value == pytest.approx(one.p_value)
    assert found[0].student.parts.resolution == pytest.approx(found[1].student.parts.resolution)
    assert found[0].temperature.closest == found[1].temperature.closest


def test_clusters_are_told_and_never_split(write_run: WriteRun) -> None:
    rows = [
        {**row, "cluster": f"c{index // 10}"}
        for index, row in enumerate(probable(np.random.default_rng(6), 400))
    ]
    found = details(write_run(rows))
    assert found.clustered
    assert found.student.auroc.clusters == 40
    assert found.student.kept[0].accuracy.clusters is not None
    assert found.student_temperature.clusters == 40
    assert found.student.calibrator.n_fit % 10 == 0


def test_halves_are_fair_keep_clusters_and_follow_the_seed() -> None:
    codes = np.repeat(np.arange(4000), 3)
    half = fitting_half(codes, 0)
    assert (half.reshape(-1, 3).min(axis=1) == half.reshape(-1, 3).max(axis=1)).all()
    assert half.mean() == pytest.approx(0.5, abs=0.03)
    ids = np.array([f"s{index}" for index in range(4000)], dtype=object)
    order = np.random.default_rng(0).permutation(4000)
    assert (fitting_half(ids[order], 7) == fitting_half(ids, 7)[order]).all()
    same = (fitting_half(ids, 7) == fitting_half(ids, 8)).mean()
    assert same == pytest.approx(0.5, abs=0.03)


def test_figures_are_those_of_the_statistics(write_run: WriteRun) -> None:
    rows = probable(np.random.default_rng(8), 90)
    found = details(write_run(rows)).teacher
    p = np.array([row["teacher_p"] for row in rows])
    y = np.array([row["ref"] == "yes" for row in rows])
    sure, right = np.maximum(p, 1 - p), (p > 0.5) == y
    rng = np.random.default_rng([0, 17])
    expected = confidence_figures(sure, right, np.random.default_rng(0))
    for name in ("ece_equal_mass", "debiased_l2", "smooth_ece", "ks", "aurc"):
        one, other = getattr(found.figures, name), getattr(expected, name)
        assert one.estimate == pytest.approx(other.estimate)
        assert one.p_value == pytest.approx(other.p_value)
    proper = proper_figures(np.log(np.stack([1 - p, p], axis=1)), y.astype(int), rng)
    assert found.proper.log_loss.estimate == pytest.approx(proper.log_loss.estimate)
    assert math.isclose(found.figures.accuracy, right.mean())
