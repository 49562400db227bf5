"""Calibration in words and figures, the same in every rendering; each figure beside its null."""

from __future__ import annotations

from collections.abc import Iterator

from kdeval.compare.calibration_details import CalibrationDetails, ConfidenceDetails
from kdeval.compare.comparison import Comparison
from kdeval.report.details import StudentDetails, SuiteDetails
from kdeval.report.numbers import (
    UNKNOWN,
    interval_text,
    number,
    p_value_text,
)
from kdeval.stats.calibration.calibrators.judged import BinaryFigures, CalibratorFigures
from kdeval.stats.calibration.null import AgainstNull
from kdeval.stats.calibration.selective import Kept
from kdeval.stats.fidelity.distillation import DistillationTemperature
from kdeval.stats.interval import Interval

__all__ = [
    "MEASURES",
    "calibration_lines",
    "calibrator_words",
    "details_by_suite",
    "figure_words",
    "kept_words",
    "measure",
    "null_words",
    "p_words",
    "parameter_words",
    "source_words",
    "temperature_words",
]

MEASURES: dict[str, tuple[str, str]] = {
    "ece_equal_mass": (
        "ECE",
        "expected calibration error: mean distance between confidence and share right, over 15 "
        "bins of equal mass; biased upwards, so read it against a perfect model's",
    ),
    "ece_equal_width": ("ECE, equal width", "the same over 15 bins of equal width"),
    "debiased_l2": (
        "debiased L2",
        "root of the mean squared distance over the bins of equal mass, less what chance puts into "
        "it (Kumar et al. 2019)",
    ),
    "smooth_ece": (
        "smooth ECE",
        "a kernel instead of bins, its width found from the data (Błasiok & Nakkiran 2023)",
    ),
    "ks": (
        "KS",
        "largest distance between what was claimed and what came true, up to any confidence "
        "(Gupta et al. 2021)",
    ),
    "brier": ("Brier", "mean squared distance of the probabilities from the truth, halved"),
    "log_loss": ("log-loss", "mean negative log-probability of the truth, in nats"),
    "auroc": (
        "AUROC",
        "chance that a right answer has more confidence than a wrong one: 50 % is none, 100 % best",
    ),
    "aurc": (
        "AURC",
        "mean share of errors among the most confident answers, over all coverages; low is best",
    ),
    "excess_aurc": ("excess AURC", "AURC above that of the best order of the same answers"),
}
"""Name and meaning of each figure, in the order in which they are shown."""

_SOURCES = {
    "probabilities": "probability of the most probable answer",
    "confidence": "recorded confidence",
    "mean_log_prob": "mean log-probability of the tokens written, no probability of being right",
}


def details_by_suite(details: StudentDetails | None) -> dict[str, SuiteDetails]:
    """The suites of which calibration is known, in their order."""
    suites = () if details is None else details.suites
    return {item.suite: item for item in suites if item.calibration is not None}


def measure(found: ConfidenceDetails, name: str) -> AgainstNull | None:
    """That figure of one model; None where it has none of its kind."""
    if name in ("brier", "log_loss"):
        return None if found.proper is None else getattr(found.proper, name)
    value: AgainstNull = getattr(found.figures, name)
    return value


def figure_words(name: str, found: AgainstNull | None) -> str:
    """The figure itself."""
    if found is None:
        return UNKNOWN
    if found.estimate is None:
        return f"∞ ({found.reason})" if name == "log_loss" and found.reason else UNKNOWN
    return _number(name, found.estimate)


def null_words(name: str, found: AgainstNull | None) -> str:
    """What a perfectly calibrated model would show: "0.030 [0.019, 0.045]"; empty if unknown."""
    if found is None or found.expected is None or found.low is None or found.high is None:
        return ""
    expected, low, high = (_number(name, x) for x in (found.expected, found.low, found.high))
    return f"{expected} [{low}, {high}]".replace(" %,", ",").replace(" %]", "]")


def p_words(found: AgainstNull | None) -> str:
    """The p-value as "p = 0.412" or "p < 0.001"; empty if unknown."""
    if found is None or found.p_value is None:
        return ""
    written = p_value_text(found.p_value)
    return f"p {written}" if written.startswith("<") else f"p = {written}"


def _number(name: str, value: float) -> str:
    return number(value, "percent") if name == "auroc" else number(value, "number", 3)


def source_words(found: ConfidenceDetails) -> str:
    """What its confidence is."""
    return _SOURCES[found.source]


def kept_words(kept: Kept) -> str:
    """Accuracy of what is kept; the share kept where ties made it another than asked."""
    written = interval_text(kept.accuracy, "percent")
    if abs(kept.coverage - kept.asked) > 0.005:
        written += f" of {number(kept.coverage, 'percent')} kept"
    return written


def parameter_words(found: CalibratorFigures) -> str:
    """The calibrator with its parameters: "Platt (a = 0.21, b = 0.64)"."""
    if found.name is None:
        return "none"
    if not found.parameters:
        return found.name
    written = ", ".join(f"{key} = {value:.2f}" for key, value in found.parameters.items())
    return f"{found.name} ({written})"


def calibrator_words(found: CalibratorFigures) -> str:
    """What was chosen, why, and what it changed on the other half."""
    if found.name is None or found.after is None:
        return f"no calibrator: {found.why}"
    after = f"{_ece(found.after)} (perfect {_expected(found.after)})"
    if found.before is not None:
        after = f"{_ece(found.before)} (perfect {_expected(found.before)}) → {after}"
    words = (
        f"calibrated by {parameter_words(found)}, {found.why}, fitted on {found.n_fit:,}: on the "
        f"other {found.n_judged:,} ECE {after}"
    )
    if found.brier_change is not None:
        words += f", Brier score {interval_text(found.brier_change, 'signed', 3)}"
    return words


def _ece(found: BinaryFigures) -> str:
    return number(found.ece.estimate, "number", 3)


def _expected(found: BinaryFigures) -> str:
    return number(found.ece.expected, "number", 3)


def temperature_words(found: CalibrationDetails) -> Iterator[str]:
    """Where the student is closest, and how much too sharp or flat it is; a sentence each."""
    if found.temperature is not None:
        yield _closest_words(found.temperature)
        for step in found.temperature.steps:
            if step.temperature == found.distilled_at and step.lost is not None:
                yield (
                    "At the distillation temperature "
                    f"T = {step.temperature:g} it loses {number(step.lost, 'percent')}."
                )
    if found.student_temperature is not None:
        yield _sharpness_words(found.student_temperature)


def _closest_words(found: DistillationTemperature) -> str:
    if found.closest is None:
        return f"No temperature brings the student closest: {found.reason}."
    ends = ""
    if found.low is not None and found.high is not None:
        ends = f" [{found.low:g}, {found.high:g}]"
    at = next(step for step in found.steps if step.temperature == found.closest)
    worse = at.lost is not None and at.lost > 1
    return (
        f"Of the temperatures {found.steps[0].temperature:g} to {found.steps[-1].temperature:g} "
        f"the student is closest to the teacher at T = {found.closest:g}{ends}, where it loses "
        f"{number(at.lost, 'percent')} of what the teacher says"
        + (", and one that holds everything equally likely loses 100 %." if worse else ".")
    )


def _sharpness_words(found: Interval) -> str:
    if found.estimate is None:
        return f"How sharp the student is beside the teacher cannot be told: {found.reason}."
    value = interval_text(found, "number")
    if found.low is not None and found.low > 1:
        return (
            "Its probabilities are sharper than the teacher's: they come closest to them at "
            f"temperature {value}, which need not be the best calibrated one."
        )
    if found.high is not None and found.high < 1:
        return (
            "Its probabilities are flatter than the teacher's: they come closest to them at "
            f"temperature {value}, which need not be the best calibrated one."
        )
    return (
        "Its probabilities are not shown to be sharper or flatter than the teacher's: they come "
        f"closest to them at temperature {value}."
    )


def calibration_lines(
    details: StudentDetails | None, student: Comparison, *, brief: bool = False
) -> Iterator[str]:
    """Lines for each suite: calibrators and temperatures, or what a terminal has room for.

    Args:
        details: of the student.
        student: its comparison.
        brief: instead the debiased error, the ranking and how sharp the student is.
    """
    for suite, item in details_by_suite(details).items():
        found = item.calibration
        if found is None:
            continue
        sides = ((student.teacher, found.teacher), (student.student, found.student))
        for model, side in sides:
            if side is not None:
                words = _brief_words(side) if brief else calibrator_words(side.calibrator)
                yield f"{suite}, {model}: {words}"
        for sentence in tuple(temperature_words(found))[-1 if brief else 0 :]:
            yield f"{suite}: {sentence}"


def _brief_words(side: ConfidenceDetails) -> str:
    parts = list(_figures(side, ("debiased_l2",)))
    if side.auroc.estimate is None:
        return "; ".join([*parts, f"{side.auroc.reason}"])
    parts.append(f"AUROC of confidence {interval_text(side.auroc, 'percent')}")
    if side.kept:
        first = side.kept[0]
        share = number(first.asked, "percent", 0)
        parts.append(f"{share} most confident: right {kept_words(first)}")
    return "; ".join(parts)


def _figures(side: ConfidenceDetails, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        found = measure(side, name)
        if found is not None and found.estimate is not None:
            beside = f" (perfect {null_words(name, found)}, {p_words(found)})"
            shown = "" if found.expected is None else beside
            yield f"{MEASURES[name][0]} {figure_words(name, found)}{shown}"
