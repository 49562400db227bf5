"""How the figures of a rule are written: as percent, points, or plain numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from kdeval.compare.comparison import Cell, Missing
from kdeval.gate.policy import RuleMetric
from kdeval.records import Metric

__all__ = [
    "Unit",
    "confidence_text",
    "counted",
    "enough_digits",
    "is_share",
    "left_out_words",
    "number_text",
    "unit_of",
]

Unit = Literal["percent", "points", "number", "signed"]
"""percent: 97.1 %; points: a difference of percentages; number: 0.35; signed: +0.012."""

_DIGITS: dict[Unit, int] = {"percent": 1, "points": 1, "number": 2, "signed": 3}
_MOST_DIGITS = 6
_MOST_CONFIDENCE_DIGITS = 14
_FIXED: dict[RuleMetric, Unit] = {
    "retention": "percent",
    "macro_retention": "percent",
    "macro_difference": "points",
    "brier_difference": "signed",
    "log_loss_difference": "signed",
    "latency_ratio": "number",
    "cost_ratio": "number",
    "error_share": "percent",
    "negative_flips": "percent",
}


def is_share(cells: Iterable[Cell], metric: Metric | None) -> bool:
    """Whether scores of `metric` are shares: between 0 and 1 by definition, or right-or-wrong."""
    if metric is not None and (metric.low, metric.high) == (0.0, 1.0):
        return True
    if metric is not None and metric.aggregation != "mean":
        return False
    counted_cells = [cell for cell in cells if cell.n]
    return bool(counted_cells) and all(cell.flips is not None for cell in counted_cells)


def unit_of(rule_metric: RuleMetric, *, share: bool) -> Unit:
    """How figures of `rule_metric` are written, on scores that are shares or plain numbers."""
    if rule_metric in _FIXED:
        return _FIXED[rule_metric]
    if rule_metric == "score":
        return "percent" if share else "number"
    return "points" if share else "signed"


def number_text(value: float, unit: Unit, digits: int | None = None) -> str:
    """`value` in its unit, with `digits` decimals (the unit's own when None)."""
    digits = _DIGITS[unit] if digits is None else digits
    scaled = value * 100 if unit in ("percent", "points") else value
    scaled = round(scaled, digits) + 0.0  # no "-0.0"
    if unit == "percent":
        return f"{scaled:.{digits}f} %"
    if unit == "points":
        return f"{scaled:+.{digits}f} points"
    return f"{scaled:+.{digits}f}" if unit == "signed" else f"{scaled:.{digits}f}"


def enough_digits(limit: float, others: tuple[float | None, ...], unit: Unit) -> int:
    """Decimals that write `limit` exactly, and no other figure as the limit or as zero."""
    digits = _DIGITS[unit]
    scaled = limit * 100 if unit in ("percent", "points") else limit
    figures = [value for value in others if value is not None]
    while digits < _MOST_DIGITS and (
        abs(scaled - round(scaled, digits)) > 1e-9
        or any(_looks_like(value, known, unit, digits) for value in figures for known in (limit, 0))
    ):
        digits += 1
    return digits


def _looks_like(value: float, known: float, unit: Unit, digits: int) -> bool:
    """Whether `value` is written as `known` is, though it differs."""
    differs = abs(value - known) > 1e-9
    return differs and number_text(value, unit, digits) == number_text(known, unit, digits)


def confidence_text(level: float) -> str:
    """A confidence level as a percentage without needless zeros, and never 100 %: 97.5 %."""
    digits = 4
    while digits < _MOST_CONFIDENCE_DIGITS and level < 1 and round(level * 100, digits) >= 100:
        digits += 1
    return f"{level * 100:.{digits}f}".rstrip("0").rstrip(".") + " %"


def counted(count: int, word: str) -> str:
    """A count with its noun: "1 sample", "1,200 samples"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def left_out_words(missing: Missing, *, zeros: bool = True) -> str:
    """Why samples were left out: each side's own errors, and how many samples both failed on.

    Args:
        missing: the counts; a sample that both failed on is in two of them.
        zeros: also says what did not happen.
    """
    both = ""
    if missing.both_errors:
        both = f" (on {counted(missing.both_errors, 'sample')} both failed)"
    said = (
        (missing.teacher_errors, "teacher error", ""),
        (missing.student_errors, "student error", both),
        (missing.unscored, "missing score", ""),
    )
    return ", ".join(f"{counted(n, word)}{more}" for n, word, more in said if n or zeros)
