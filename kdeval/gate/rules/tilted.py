"""Bounds of real-valued figures at the high levels of early looks, where t has too light tails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdeval.gate.anytime import betting_range
from kdeval.gate.measurement import FloatArray, Measurement
from kdeval.gate.resolve import Target
from kdeval.stats.interval import one_sided
from kdeval.stats.means import tilted
from kdeval.stats.moments import as_clusters, is_binary

__all__ = ["tilt"]

_MANY = 50_000
_UNBOUNDED = "nothing bounds the error at this n"


def tilt(measured: Measurement, target: Target, level: float) -> Measurement:
    """`measured` with the tilted score test's one-sided bounds at `level`.

    Right-or-wrong scores have that test already, and beyond 50,000 samples the tails of t are as
    good; figures that are no mean of samples, or above chance, stay as they are.
    """
    margins = measured.margins
    if margins is None or measured.interval.estimate is None or measured.exact or measured.chance:
        return measured
    if len(margins) > _MANY or target.rule.metric == "error_share":
        return measured
    codes = as_clusters(measured.clusters, len(margins))
    value_range = betting_range(target)
    if measured.scores is not None:
        teacher, student = measured.scores
        if is_binary(teacher) and is_binary(student):
            return measured
        if min(teacher.min(), student.min()) < 0:
            return measured
        ends = tilted.ratio_limits(
            student,
            teacher,
            codes,
            highest=None if value_range is None else value_range[1],
            confidence=one_sided(level),
        )
    else:
        values = _figures(margins, target)
        if (values == values.round()).all():
            return measured
        low, high = (None, None) if value_range is None else value_range
        ends = tilted.mean_limits(
            values, codes, value_range=(low, high), confidence=one_sided(level)
        )
    interval = replace(
        measured.interval,
        low=ends[0],
        high=ends[1],
        method=tilted.METHOD,
        reason=_UNBOUNDED if None in ends else None,
    )
    return replace(measured, interval=interval)


def _figures(margins: FloatArray, target: Target) -> FloatArray:
    """Each sample's figure, from by how much it speaks for a pass; whole numbers exactly."""
    towards = 1 if target.rule.direction == "min" else -1
    values: FloatArray = target.rule.limit + towards * margins
    near = values.round()
    return np.where(abs(values - near) < 1e-9, near, values)
