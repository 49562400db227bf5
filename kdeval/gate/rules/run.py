"""The figures of a whole run: latency, cost, share of failed requests."""

from __future__ import annotations

import math

import numpy as np

from kdeval.cost.figures import cost_figures
from kdeval.errors import ConfigError
from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.resolve import Target
from kdeval.latency.figures import LatencyFigures, latency_figures
from kdeval.stats.binomial import clopper_pearson
from kdeval.stats.interval import one_sided

__all__ = ["measure_cost_ratio", "measure_error_share", "measure_latency_ratio"]


def measure_latency_ratio(judged: Judged, target: Target, level: float) -> Measurement:
    """Student / teacher at the rule's quantile, probed or recorded."""
    figures = latency_figures(judged.run, judged.student, one_sided(level))
    if figures is None:
        raise ConfigError(
            f"{target.place}: the run has no latencies of both {judged.comparison.teacher!r} and "
            f"{judged.student!r}: run with latency_probe, or record latency_s"
        )
    return Measurement(
        interval=figures.ratio[target.rule.quantile or "p50"],
        margins=None,
        clusters=None,
        remarks=_recorded(figures),
    )


def _recorded(figures: LatencyFigures) -> tuple[str, ...]:
    """How much of the run the logs told the latency of."""
    if figures.total is None:
        return ()
    if figures.n == figures.total:
        return ("latencies as recorded in logs",)
    return (f"latencies as recorded in logs, of {figures.n:,} of {figures.total:,} requests",)


def measure_cost_ratio(judged: Judged, target: Target, level: float) -> Measurement:
    """Student / teacher; exact where both prices are fixed per request, whatever the n."""
    figures = cost_figures(judged.run, judged.student, one_sided(level))
    if figures is None or figures.ratio is None:
        reason = None if figures is None else figures.reason
        raise ConfigError(
            f"{target.place}: the cost ratio is unknown: "
            f"{reason or 'give prices under `costs` in the configuration, or record cost_usd'}"
        )
    return Measurement(
        interval=figures.ratio,
        margins=None,
        clusters=None,
        left_out=figures.total - figures.n,
        exact=figures.fixed,
        remarks=tuple(remark for remark in (figures.coverage, figures.basis) if remark),
    )


def measure_error_share(judged: Judged, target: Target, level: float) -> Measurement:
    """Share of the student's requests that ended in a recorded error: Clopper-Pearson."""
    n = judged.comparison.requests
    if n == 0:
        raise ConfigError(f"{target.place}: nothing was asked of {judged.student!r}")
    errors = round(judged.comparison.error_share * n)
    failed = np.zeros(n)
    failed[:errors] = 1
    return Measurement(
        interval=clopper_pearson(errors, n, confidence=one_sided(level)),
        margins=target.rule.limit - failed,
        clusters=None,
        floor=math.ceil(math.log(1 - level) / math.log1p(-target.rule.limit)),
    )
