"""Cost of teacher and student a request, from recorded costs or from the configured prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.stats.interval import Interval
from kdeval.stats.means.paired import retention
from kdeval.store.run_directory import ModelEntry, RunDirectory

__all__ = ["CostFigures", "cost_figures", "usd_per_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigures:
    """US dollars a request; an unknown price stays None.

    Attributes:
        teacher_usd: mean cost of a request to the teacher.
        student_usd: the same of the student, over the same requests.
        ratio: student / teacher, with an interval where costs vary by sample; a degenerate one
            where they do not, or both prices are fixed; None where a price is unknown.
        n: requests (probe rounds where the price is by the hour) with a known cost of both.
        total: requests or rounds in all.
        unit: what is counted; None where both prices are fixed and nothing is.
        basis: how each figure was made, with what it assumes.
        reason: why a figure is None.
    """

    teacher_usd: float | None
    student_usd: float | None
    ratio: Interval | None
    n: int
    total: int
    unit: Literal["request", "probe round"] | None
    basis: str
    reason: str | None = None

    @property
    def fixed(self) -> bool:
        """Both prices are fixed: the ratio has no sampling error."""
        return self.unit is None and self.ratio is not None

    @property
    def coverage(self) -> str | None:
        """Of how much the cost is known, in words; None where both prices are fixed."""
        if self.unit is None:
            return None
        return f"costs known of {self.n:,} of {self.total:,} {self.unit}s"


_UNITS: Mapping[str, Literal["request", "probe round"] | None] = {
    "sample": "request",
    "round": "probe round",
    "constant": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Known costs of one model: by sample, by probe round, or one constant."""

    values: NDArray[np.float64]
    basis: str
    unit: Literal["sample", "round", "constant"] = "sample"
    index: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def cost_figures(
    run: RunDirectory, student: str, confidence: float, pairs: pd.DataFrame | None = None
) -> CostFigures | None:
    """Figures of `student` beside the teacher, or None when neither has any known cost.

    Args:
        run: the run.
        student: name of the student.
        confidence: two-sided confidence of the ratio's interval.
        pairs: the run's pairs, where they are loaded already.
    """
    rows = _rows(run, student, pairs)
    teacher_entry = run.manifest.teacher
    student_entry = next(entry for entry in run.manifest.students if entry.name == student)
    teacher = _side(run, rows, "teacher", teacher_entry)
    learner = _side(run, rows, "student", student_entry)
    if teacher is None and learner is None:
        return None
    if teacher is None or learner is None:
        missing = teacher_entry.name if teacher is None else student
        return CostFigures(
            teacher_usd=_mean(teacher),
            student_usd=_mean(learner),
            ratio=None,
            n=0,
            total=0,
            unit=None,
            basis=_basis(teacher, learner),
            reason=f"the cost of {missing} is unknown: give it under `costs` in the configuration",
        )
    teacher_usd, student_usd = _aligned(teacher, learner)
    leading = _leading(teacher, learner)
    return CostFigures(
        teacher_usd=_mean_of(teacher_usd),
        student_usd=_mean_of(student_usd),
        ratio=_ratio(teacher_usd, student_usd, confidence),
        n=len(teacher_usd),
        total=max(len(side.values) for side in (teacher, learner) if side.unit == leading.unit),
        unit=_UNITS[leading.unit],
        basis=_basis(teacher, learner),
        reason=None if len(teacher_usd) else "no request has a known cost of both models",
    )


def usd_per_request(run: RunDirectory, entry: ModelEntry) -> tuple[float, str] | None:
    """US dollars of a request where the price does not depend on its tokens, and its basis.

    None when the price is unknown or depends on the request's tokens.
    """
    side = _fixed(run, entry)
    return None if side is None else (float(side.values.mean()), side.basis)


def _fixed(run: RunDirectory, entry: ModelEntry) -> _Side | None:
    price = entry.price or {}
    if "usd_per_request" in price:
        return _constant(price["usd_per_request"], "configured price per request")
    if "usd_per_hour" not in price:
        return None
    if "requests_per_hour" in price:
        return _constant(
            price["usd_per_hour"] / price["requests_per_hour"],
            "machine-hours at the configured requests per hour",
        )
    table = run.latencies()
    if table is None:
        return None
    rounds = table.loc[table["model"] == entry.name].set_index("round")["seconds"].sort_index()
    if rounds.empty:
        return None
    return _Side(
        values=rounds.to_numpy(dtype=float) * price["usd_per_hour"] / 3600,
        basis="machine-hours at the probe's throughput, one request at a time on this machine",
        unit="round",
        index=rounds.index.to_numpy(),
    )


def _constant(value: float, basis: str) -> _Side:
    return _Side(values=np.array([value]), basis=basis, unit="constant")


def _aligned(teacher: _Side, student: _Side) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Costs of both over the same samples or probe rounds, unknown ones left out.

    Where one is known by sample and the other by probe round, the round's mean stands for it.
    """
    if teacher.unit == student.unit == "round":
        _, of_teacher, of_student = np.intersect1d(
            teacher.index, student.index, return_indices=True
        )
        return teacher.values[of_teacher], student.values[of_student]
    leading = _leading(teacher, student)
    both = [
        side.values
        if side.unit == leading.unit
        else np.full(len(leading.values), side.values.mean())
        for side in (teacher, student)
    ]
    known = ~(np.isnan(both[0]) | np.isnan(both[1]))
    return both[0][known], both[1][known]


def _leading(teacher: _Side, student: _Side) -> _Side:
    """The side whose costs are known most closely: by sample, by probe round, or as a constant."""
    return next(
        (side for unit in ("sample", "round") for side in (teacher, student) if side.unit == unit),
        teacher,
    )


def _rows(run: RunDirectory, student: str, pairs: pd.DataFrame | None) -> pd.DataFrame:
    fields = ("cost_usd", "input_tokens", "output_tokens")
    columns = ["suite", "sample_id", "student"]
    columns += [f"{side}_{field}" for side in ("teacher", "student") for field in fields]
    table = run.pairs(columns) if pairs is None else pairs[columns]
    return table[table["student"] == student].drop_duplicates(["suite", "sample_id"])


def _side(run: RunDirectory, rows: pd.DataFrame, side: str, entry: ModelEntry) -> _Side | None:
    """A configured price comes before costs that kdeval worked out from a price at the time."""
    recorded = rows[f"{side}_cost_usd"].to_numpy(dtype=float)
    price = entry.price or {}
    priced_by_us = bool(price) and entry.price_source is not None
    if len(recorded) and not np.isnan(recorded).all() and not priced_by_us:
        source = f" by {entry.price_source}" if entry.price_source else ""
        return _Side(values=recorded, basis=f"recorded costs{source}")
    if "usd_per_million_input_tokens" in price:
        values = (
            rows[f"{side}_input_tokens"].to_numpy(dtype=float)
            * price["usd_per_million_input_tokens"]
            + rows[f"{side}_output_tokens"].to_numpy(dtype=float)
            * price["usd_per_million_output_tokens"]
        ) / 1e6
        known = len(values) and not np.isnan(values).all()
        return _Side(values=values, basis="configured prices per token") if known else None
    return _fixed(run, entry)


def _ratio(
    teacher: NDArray[np.float64], student: NDArray[np.float64], confidence: float
) -> Interval | None:
    if len(teacher) == 0 or teacher.mean() <= 0:
        return None
    if np.ptp(teacher) == 0 and np.ptp(student) == 0:
        value = float(student[0] / teacher[0])
        return Interval(
            estimate=value,
            low=value,
            high=value,
            confidence=confidence,
            method="the same in every request, no sampling error",
            n=len(teacher),
            clusters=None,
        )
    return retention(teacher, student, confidence=confidence)


def _mean(side: _Side | None) -> float | None:
    return None if side is None else _mean_of(side.values[~np.isnan(side.values)])


def _mean_of(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _basis(teacher: _Side | None, student: _Side | None) -> str:
    parts = [
        f"{name}: {side.basis if side is not None else 'unknown'}"
        for name, side in (("teacher", teacher), ("student", student))
    ]
    return "; ".join(parts)
