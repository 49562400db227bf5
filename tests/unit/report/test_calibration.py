"""Calibration in every rendering: each figure beside what a perfect model shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from kdeval.compare.calibration_details import CalibrationDetails, ConfidenceDetails
from kdeval.compare.reliability import Reliability
from kdeval.report.calibration_words import calibration_lines, kept_words, temperature_words
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.document import ReportDocument
from kdeval.report.html.charts.risk_coverage import risk_coverage_chart
from kdeval.report.html.charts.temperatures import temperature_chart
from kdeval.report.html.page import report_html
from kdeval.report.markdown import report_markdown
from kdeval.report.numbers import interval_text
from kdeval.report.strict_json import json_text
from kdeval.report.terminal import report_renderables
from kdeval.stats import (
    brier_parts,
    classwise,
    confidence_auroc,
    confidence_figures,
    distillation_temperature,
    judge_calibrator,
    kept_at,
    proper_figures,
    student_temperature,
)
from kdeval.stats.calibration.confidence import ranking_figures
from kdeval.stats.calibration.groups import groups_of
from kdeval.stats.calibration.selective import risk_coverage

MakeDocument = Callable[..., ReportDocument]
LABELS = ("no", "yes", "per<b>haps")


def side(logs: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> ConfidenceDetails:
    sure, right = np.exp(logs.max(axis=1)), logs.argmax(axis=1) == labels
    return ConfidenceDetails(
        source="probabilities",
        without=0,
        figures=confidence_figures(sure, right, rng, simulations=39),
        auroc=confidence_auroc(sure, right),
        proper=proper_figures(logs, labels, rng, simulations=39),
        parts=brier_parts(logs, labels),
        classes=classwise(logs, labels, rng, simulations=39),
        class_names=LABELS,
        curve=risk_coverage(groups_of(sure, right)),
        kept=kept_at(sure, right),
        calibrator=judge_calibrator(sure, right, np.arange(len(labels)) % 2 == 0, rng),
    )


def found() -> CalibrationDetails:
    rng = np.random.default_rng(11)
    p = rng.dirichlet([1, 1, 1], 400)
    labels = (rng.random((400, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    sharp = p**2.5 * np.exp(rng.normal(0, 0.01, p.shape))
    sharp /= sharp.sum(axis=1, keepdims=True)
    teacher, student = np.log(p), np.log(sharp)
    return CalibrationDetails(
        teacher=side(teacher, labels, rng),
        student=side(student, labels, rng),
        teacher_reason=None,
        student_reason=None,
        temperature=distillation_temperature(teacher, student, labels, rng, resamples=50),
        student_temperature=student_temperature(teacher, student),
        clustered=True,
        distilled_at=4.0,
    )


def with_details(document: ReportDocument, calibration: CalibrationDetails) -> ReportDocument:
    suite = SuiteDetails(
        suite="sentiment",
        metric="exact",
        reliability=Reliability(teacher=(), student=()),
        fidelity=(),
        calibration=calibration,
    )
    return replace(
        document, details=(StudentDetails(student="small", suites=(suite,), latency=None),)
    )


@pytest.fixture
def document(make_document: MakeDocument) -> ReportDocument:
    return with_details(make_document(), found())


def page_of(document: ReportDocument) -> str:
    page = " ".join(report_html(document).split()).replace("\u00a0", " ")
    start = page.index('<section id="calibration"')
    return page[start : page.index("</section>", start)]


def test_the_page_shows_every_figure_beside_its_null(document: ReportDocument) -> None:
    page = page_of(document)
    calibration = document.details[0].suites[0].calibration
    for name in ("ece_equal_mass", "debiased_l2", "smooth_ece", "ks"):
        figure = getattr(calibration.student.figures, name)
        beside = f"{figure.estimate:.3f} <span"
        assert beside in page
        assert f"perfect {figure.expected:.3f} [{figure.low:.3f}, {figure.high:.3f}], p" in page
    for words in (
        "right, 80 % kept", "AUROC, interval", "Calibrators of confidence", "Platt (a = ",
        "Parts of the Brier score", "Class by class", "per&lt;b&gt;haps", "off the label",
        "they come closest to them at temperature 2.5", "whole clusters to a side",
        "these have clusters, so p is too small",
        "At the distillation temperature T = 4 it loses",
    ):  # fmt: skip
        assert words in page
    assert page.count("<svg") == 2
    assert "per<b>haps" not in page


def test_the_other_renderings_say_it_shorter(document: ReportDocument) -> None:
    markdown = report_markdown(document)
    figure = document.details[0].suites[0].calibration.student.figures.smooth_ece
    assert f"{figure.estimate:.3f} ({figure.expected:.3f} " in markdown
    assert "| right, 80 % kept |" in markdown
    calibration = document.details[0].suites[0].calibration
    both = [interval_text(getattr(calibration, side).auroc, "percent")
            for side in ("teacher", "student")]  # fmt: skip
    assert f"| AUROC, interval | {both[0]} | {both[1]} |" in markdown
    assert all("[" in item for item in both)
    assert "calibrated by Platt" in markdown
    console = Console(width=80, record=True, file=StringIO())
    for part in report_renderables(document):
        console.print(part)
    terminal = " ".join(console.export_text().split())
    assert "sentiment, small: debiased L2" in terminal
    assert "sharper than the teacher's: they come closest to them at temperature 2.5" in terminal
    assert "calibrated by" not in terminal
    assert '"excess_aurc"' in json_text(document)


def test_one_silent_model_leaves_dashes_and_a_note(make_document: MakeDocument) -> None:
    whole = found()
    silent = replace(
        whole,
        teacher=None,
        teacher_reason="nothing was recorded",
        temperature=None,
        student_temperature=None,
        student=replace(
            whole.student, source="confidence", without=7, classes=None, class_names=()
        ),
    )
    page = page_of(with_details(make_document(), silent))
    assert "big: nothing is known of its confidence: nothing was recorded." in page
    assert "small: confidence is its recorded confidence; 7 samples without." in page
    assert "Class by class" not in page
    assert "Temperatures of distillation" not in page
    assert re.search(r"smooth ECE</th> ?<td[^>]*>– ?</td>", page)
    assert page.count("<svg") == 1


def test_a_suite_without_any_figures_still_renders(make_document: MakeDocument) -> None:
    whole = found()
    empty = confidence_figures([], [], np.random.default_rng(0))
    nothing = replace(
        whole.student,
        figures=empty,
        auroc=confidence_auroc([], []),
        proper=None,
        parts=None,
        classes=None,
        class_names=(),
        kept=(),
        calibrator=judge_calibrator([], [], [], np.random.default_rng(0)),
    )
    document = with_details(
        make_document(),
        replace(
            whole,
            teacher=nothing,
            student=nothing,
            temperature=distillation_temperature(
                np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, int), np.random.default_rng(0)
            ),
            student_temperature=student_temperature(np.zeros((0, 3)), np.zeros((0, 3))),
        ),
    )
    page = page_of(document)
    assert "nan" not in page.lower().replace("finance", "")
    assert "No temperature brings the student closest: no samples." in page
    assert "no calibrator: fewer than 30 samples in a half" in report_markdown(document)


def test_where_confidence_tells_nothing_one_sentence_says_so(make_document: MakeDocument) -> None:
    """All answers are right and only log-probabilities are known: no tables of dashes."""
    whole = found()
    sure, right = np.array([0.5, 0.9]), np.array([True, True])
    nothing = replace(
        whole.student,
        source="mean_log_prob",
        figures=ranking_figures(sure, right),
        auroc=confidence_auroc(sure, right),
        proper=None,
        parts=None,
        classes=None,
        class_names=(),
        curve=risk_coverage(groups_of(sure, right)),
        kept=kept_at(sure, right),
    )
    silent = replace(
        whole, teacher=None, teacher_reason="x", temperature=None, student_temperature=None
    )
    document = with_details(make_document(), replace(silent, student=nothing))
    page = page_of(document)
    said = "every answer is right, so confidence has nothing to tell apart"
    assert f'<h3>sentiment</h3> <p class="none">small: {said}.</p> </div>' in page
    assert "dashed diagonal" not in page
    assert list(calibration_lines(document.details[0], document.students[0], brief=True)) == [
        f"sentiment, small: {said}"
    ]
    halves = replace(nothing, auroc=confidence_auroc(sure, ~right | (sure > 0.6)))
    page = page_of(with_details(document, replace(silent, student=halves)))
    assert "mean confidence" not in page
    assert "Calibrators of confidence" in page


def test_words_of_sharpness_follow_the_interval() -> None:
    whole = found()
    teacher = np.log(np.random.default_rng(0).dirichlet([1, 1], 50))
    flat = replace(whole, student_temperature=student_temperature(teacher, 0.4 * teacher))
    assert any("flatter than the teacher" in words for words in temperature_words(flat))
    half = np.concatenate([1.1 * teacher, 0.9 * teacher[:, ::-1]])
    unsure = student_temperature(np.concatenate([teacher, teacher[:, ::-1]]), half)
    sentences = list(temperature_words(replace(whole, student_temperature=unsure)))
    assert "not shown to be sharper or flatter than the teacher" in sentences[-1]
    refused = replace(whole, student_temperature=student_temperature(teacher, teacher * 0))
    assert list(temperature_words(refused))[-1].endswith("cannot be told: the student is uniform.")


def test_an_infinite_log_loss_is_said(make_document: MakeDocument) -> None:
    """A certain answer that was wrong is counted, not left out."""
    whole = found()
    never = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    proper = proper_figures(never, [0, 1], np.random.default_rng(0), simulations=9)
    certain = replace(whole, student=replace(whole.student, proper=proper))
    document = with_details(make_document(), certain)
    said = "the label had probability 0 in 1 of 2 samples"
    assert f'∞ <span class="ends">{said}</span>' in page_of(document)
    assert f"∞ ({said})" in report_markdown(document)


def test_ties_say_how_much_was_kept() -> None:
    kept = kept_at([0.9] * 10, [1] * 9 + [0], (0.8,))[0]
    assert kept_words(kept).endswith("of 100.0 % kept")


def test_charts_of_nothing_are_not_drawn(document: ReportDocument) -> None:
    assert risk_coverage_chart(None, None, title="t", name="n") is None
    empty = distillation_temperature(
        np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, int), np.random.default_rng(0)
    )
    assert temperature_chart(empty, title="t", name="n") is None
    perfect = risk_coverage(groups_of(np.array([0.5, 0.9]), np.array([True, True])))
    assert risk_coverage_chart(None, perfect, title="t", name="n") is not None
    never = np.log(np.array([[0.5, 0.5]]))
    sure = np.array([[0.0, -np.inf]])
    infinite = distillation_temperature(never, sure, np.array([0]), np.random.default_rng(0))
    assert temperature_chart(infinite, title="t", name="n") is not None
    assert list(calibration_lines(None, document.students[0])) == []


def test_a_student_worse_than_none_stays_within_its_chart() -> None:
    """Its loss of more than 100 % widens the axis, and the words say what 100 % is."""
    teacher = np.log(np.array([[0.6, 0.4], [0.45, 0.55]] * 20))
    student = np.log(np.array([[0.05, 0.95], [0.9, 0.1]] * 20))
    labels = np.zeros(40, int)
    steps = distillation_temperature(teacher, student, labels, np.random.default_rng(0))
    assert max(step.lost or 0 for step in steps.steps) > 2
    drawn = temperature_chart(steps, title="t", name="n")
    assert drawn is not None
    lines = re.findall(r'd="(M[^"]*L[^"]*)"[^>]*stroke="var\(--accent\)"', drawn.svg)
    heights = [float(y) for line in lines for y in re.findall(r",(-?[\d.]+)", line)]
    assert heights
    assert min(heights) >= 0
    sentences = temperature_words(replace(found(), temperature=steps))
    assert any("equally likely loses 100 %" in words for words in sentences)
