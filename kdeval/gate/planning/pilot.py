"""What a rule needs in a world like that of a pilot run."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from kdeval.gate.measurement import FloatArray, IntArray, Measurement
from kdeval.gate.planning.needs import Needs, needs_of_errors
from kdeval.gate.policy import Direction, RuleMetric
from kdeval.gate.quantity import number_text
from kdeval.stats.moments import is_binary, moments, witnesses
from kdeval.stats.planning.pairs import (
    Clustering,
    PairedRates,
    difference_values,
    rate_values,
    retention_values,
    samples_for_mean,
    samples_for_rates,
)
from kdeval.stats.planning.power import samples_to_bound_mean
from kdeval.stats.planning.shares import samples_by_scaling

__all__ = ["needs_in_pilot"]

_RARELY = 0.02
_RATIOS = ("retention", "latency_ratio", "cost_ratio")


def needs_in_pilot(
    metric: RuleMetric, direction: Direction, limit: float, level: float, measured: Measurement
) -> Needs | str:
    """In a world like the pilot's; or why the rule cannot be planned from it.

    Where the bound is a strict one, it is taken to reach as many times as far as an asymptotic one
    as it does in the pilot.
    """
    found = _asymptotically(metric, direction, limit, level, measured)
    if isinstance(found, str) or measured.widening <= 1 or measured.margins is None:
        return found
    plain, wider = found.needed, measured.widening**2

    def needed(at: float, power: float) -> int | None:
        count = plain(at, power)
        return None if count is None else math.ceil(count * wider)

    return replace(found, needed=needed, floor=measured.floor)


def _asymptotically(
    metric: RuleMetric, direction: Direction, limit: float, level: float, measured: Measurement
) -> Needs | str:
    interval = measured.interval
    if interval.estimate is None:
        return interval.reason or "the pilot does not tell the figure"
    figure = interval.estimate
    if metric == "error_share":
        return needs_of_errors(
            figure, level, f"{number_text(figure, 'percent', 2)} of the requests fail"
        )
    if metric == "negative_flips" and measured.floor is not None:
        return needs_of_errors(
            figure, level, f"{number_text(figure, 'percent', 2)} of the samples flip to wrong"
        )
    if measured.exact:
        return Needs(
            figure=figure,
            needed=lambda at, power: 1 if (figure >= at) == (direction == "min") else None,
            furthest=figure,
            assumed="fixed prices, without sampling error",
        )
    if measured.margins is None:
        return _by_scaling(metric, direction, level, measured)
    if _bounded_by_nothing(measured):
        return interval.reason or "nothing bounds the figure"
    sign = 1.0 if direction == "min" else -1.0
    if measured.scores is not None:
        return _pilot_retention(measured, level)
    x = sign * measured.margins + limit
    return _pilot_mean(metric, x, measured.clusters, level, sign)


def _bounded_by_nothing(measured: Measurement) -> bool:
    """Without an end on either side, for lack of variance: more of the same would not help."""
    interval, values = measured.interval, measured.margins
    if interval.low is not None or interval.high is not None or interval.n < 2:
        return False
    if measured.scores is not None and interval.estimate is not None:
        teacher, student = (scores - measured.chance for scores in measured.scores)
        values = student - interval.estimate * teacher
    return values is not None and float(np.ptp(values)) <= 1e-12


def _pilot_retention(measured: Measurement, level: float) -> Needs:
    assert measured.scores is not None
    assert measured.interval.estimate is not None
    teacher, student = measured.scores
    figure, chance = measured.interval.estimate, measured.chance
    if is_binary(teacher) and is_binary(student):
        both = float((teacher * student).mean())
        rates = PairedRates(
            both=both,
            gained=float(student.mean()) - both,
            lost=float(teacher.mean()) - both,
            neither=float(((1 - teacher) * (1 - student)).mean()),
        )

        def needed(limit: float, power: float) -> int | None:
            found = _pilot_clusters(
                student - chance - limit * (teacher - chance),
                measured.clusters,
                student != teacher,
            )
            return samples_for_rates(
                retention_values(limit, chance),
                rates,
                level=level,
                power=power,
                clustering=found,
            )

        said = (
            f"{number_text(rates.disagreement, 'percent', 1)} of the samples flip, as in the pilot"
        )
        return Needs(figure=figure, needed=needed, furthest=0.0, assumed=said, floor=measured.floor)

    def real(limit: float, power: float) -> int | None:
        d = student - chance - limit * (teacher - chance)
        return _real(d, measured.clusters, level, power)

    said = "scores vary as in the pilot"
    return Needs(figure=figure, needed=real, furthest=0.0, assumed=said)


def _pilot_mean(
    metric: RuleMetric, x: FloatArray, clusters: IntArray | None, level: float, sign: float
) -> Needs:
    figure = float(x.mean())
    kind = _kind(metric, x)
    if kind is None:
        spread = max(float(np.ptp(x)), 1e-3)
        return Needs(
            figure=figure,
            needed=lambda at, power: _real(sign * (x - at), clusters, level, power),
            furthest=figure - sign * 2 * spread,
            assumed="scores vary as in the pilot",
        )
    x = np.round(x)
    gained, lost = float((x > 0).mean()), float((x < 0).mean())
    rates = PairedRates(both=0.0, gained=gained, lost=lost, neither=1 - gained - lost)
    if kind == "rate":
        rates = PairedRates(both=figure, gained=0.0, lost=0.0, neither=1 - figure)
    values = rate_values if kind == "rate" else difference_values

    def needed(limit: float, power: float) -> int | None:
        events = x != 0 if kind == "flips" or figure < 0.5 else x == 0
        found = _pilot_clusters(x, clusters, events)
        a, b, c, d = values(limit)
        cells = (sign * a, sign * b, sign * c, sign * d)
        return samples_for_rates(cells, rates, level=level, power=power, clustering=found)

    said = "scores are right or wrong"
    if kind == "flips":
        said = (
            f"{number_text(rates.disagreement, 'percent', 1)} of the samples flip, as in the pilot"
        )
    return Needs(figure=figure, needed=needed, furthest=0.0 if kind == "rate" else -sign,
                 assumed=said)  # fmt: skip


def _kind(metric: RuleMetric, x: FloatArray) -> Literal["rate", "flips"] | None:
    """Whether these are right-or-wrong scores, or their differences (up to rounding)."""
    near = np.abs(x - np.round(x)).max(initial=0.0) < 1e-9
    if metric in ("score", "negative_flips") and near and set(np.round(x)) <= {0.0, 1.0}:
        return "rate"
    paired = metric in ("difference", "baseline_difference")
    return "flips" if paired and near and set(np.round(x)) <= {-1.0, 0.0, 1.0} else None


def _real(d: FloatArray, clusters: IntArray | None, level: float, power: float) -> int | None:
    if len(d) < 2 or d.mean() <= 0:
        return None
    sd = float(d.std(ddof=1))
    if sd <= 1e-12:
        return samples_to_bound_mean(d, limit=0.0, level=level, power=power, clusters=clusters)
    found = _pilot_clusters(d, clusters, None)
    n = samples_for_mean(float(d.mean()), sd, level=level, power=power, clustering=found)
    return None if n is None else max(n, _until_something_moves(d, level))


def _until_something_moves(d: FloatArray, level: float) -> int:
    """Samples that a rare event takes to be seen, or that the bound without variance needs.

    Where most samples have the same D, a few of them show no variance at all, and the test then
    falls back on a bound that needs more.
    """
    usual = float(np.unique(d, return_counts=True)[1].max()) / len(d)
    if usual <= _RARELY:
        return 2
    without = math.ceil(-math.log(1 - level) / math.log1p(float(d.mean())))
    seen = math.ceil(math.log(_RARELY) / math.log(usual)) if usual < 1 else without
    return min(seen, without)


def _pilot_clusters(
    d: FloatArray, clusters: IntArray | None, events: np.ndarray | None
) -> Clustering | None:
    """How the pilot's samples hang together; None: independent."""
    if clusters is None:
        return None
    _, codes = np.unique(clusters, return_inverse=True)
    groups = int(codes.max()) + 1
    if groups == len(d):
        return None
    m = moments([d], codes.astype(np.int64))
    return Clustering(
        size=len(d) / groups,
        effect=m.design_effect([1.0]) or 1.0,
        largest=m.largest_design_effect,
        witnesses=None if events is None else witnesses(events, codes) / groups,
    )


def _by_scaling(
    metric: RuleMetric, direction: Direction, level: float, measured: Measurement
) -> Needs | str:
    """For a figure that is no mean: its interval's reach falls as 1 / sqrt(n)."""
    interval = measured.interval
    assert interval.estimate is not None
    figure, n = interval.estimate, interval.n
    bound = interval.low if direction == "min" else interval.high
    logarithmic = metric in _RATIOS
    if bound is None or (logarithmic and (figure <= 0 or bound <= 0)):
        return interval.reason or "the pilot is too small to bound the figure"
    sign = 1.0 if direction == "min" else -1.0

    def scale(value: float) -> float:
        return math.log(max(value, 1e-300)) if logarithmic else value

    def needed(limit: float, power: float) -> int | None:
        return samples_by_scaling(
            n,
            reach=sign * (scale(figure) - scale(bound)),
            distance=sign * (scale(figure) - scale(limit)),
            level=level,
            power=power,
        )

    far = figure * (0.1 if direction == "min" else 10.0)
    if not logarithmic:
        far = figure - sign * 20 * abs(figure - bound)
    return Needs(figure=figure, needed=needed, furthest=far, assumed="varies as in the pilot")
