"""Where the error goes that the user grants: what may go wrong, how often, and how it was split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdeval.gate.policy import Promise

__all__ = ["ErrorLedger", "ErrorLine", "Split"]

Split = Literal["none", "intersection-union", "sum", "Holm", "looks", "fixed sequence"]
"""none: one test. intersection-union: many tests, all of which must pass, each at the full error.
sum: many tests, any of which errs (Bonferroni). Holm: names which of many pass. looks: one test,
its error spent over looks. fixed sequence: thresholds in an order fixed beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """One thing that may go wrong.

    Attributes:
        wrong: what it would be.
        error: the most often that it happens, one-sided.
        split: how that error was shared out.
        tests: number of tests behind the line.
        promise: "asymptotic" errors are held up to 1.25 times this figure.
        reason: why no correction is needed, or which was made, in words.
        looks: error that may be spent up to each look, for one test over several looks.
    """

    wrong: str
    error: float
    split: Split
    tests: int
    promise: Promise
    reason: str
    looks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLedger:
    """All errors of a decision.

    Attributes:
        lines: one for each promise that was made.
        false_pass: the most often that a student which misses any limit passes; None where
            nothing was judged.
        false_fail: the most often that a student which meets every limit fails; None likewise.
    """

    lines: tuple[ErrorLine, ...]
    false_pass: float | None
    false_fail: float | None
