"""What a router would do at every threshold, on samples it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from kdeval_router.decision import Decision, RankedBy
from numpy.typing import NDArray

__all__ = ["CurvePoint", "routing_curve"]

_MOST_POINTS = 101
_RANKED = ("certified", "above_threshold", "nothing_certified")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One threshold: part of the samples that goes to a student, and what follows."""

    share: float
    quality: float
    lost_rate: float


def routing_curve(
    decisions: Sequence[Decision],
    ranked_by: RankedBy,
    teacher: NDArray[np.bool_],
    student: NDArray[np.bool_],
) -> tuple[CurvePoint, ...]:
    """Points from always-teacher to all that the router could send to a student.

    What the router never routes (unfamiliar, not viable, too long) stays with the teacher at
    every threshold. The curve describes these samples; only the operating point was certified.

    Args:
        decisions: on the n samples, whatever the threshold.
        ranked_by: which figure of a decision the threshold is a maximum of.
        teacher: (n,), whether the teacher is right.
        student: (n,), whether the student of the sample's task is.
    """
    n = len(decisions)
    ranks = np.array(
        [
            getattr(decision, ranked_by) if decision.reason in _RANKED else np.nan
            for decision in decisions
        ],
        dtype=np.float64,
    )
    rows = np.flatnonzero(~np.isnan(ranks))
    order = rows[np.argsort(ranks[rows], kind="stable")]
    change = np.concatenate([[0], np.cumsum(student[order].astype(int) - teacher[order])])
    lost = np.concatenate([[0], np.cumsum(teacher[order] & ~student[order])])
    ends = np.flatnonzero(np.diff(ranks[order], append=np.inf)) + 1  # ties go together
    stops = np.concatenate([[0], ends])
    if len(stops) > _MOST_POINTS:
        stops = stops[np.linspace(0, len(stops) - 1, _MOST_POINTS).round().astype(int)]
    return tuple(
        CurvePoint(
            share=float(stop / n),
            quality=float((teacher.sum() + change[stop]) / n),
            lost_rate=float(lost[stop] / n),
        )
        for stop in stops
    )
