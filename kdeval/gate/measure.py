"""Each rule's figure with the interval whose ends are its one-sided bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.policy import RuleMetric
from kdeval.gate.possible import possible_ends, within
from kdeval.gate.resolve import Target
from kdeval.gate.run_rules import measure_cost_ratio, measure_error_share, measure_latency_ratio
from kdeval.gate.score_rules import (
    measure_baseline_difference,
    measure_brier_difference,
    measure_difference,
    measure_log_loss_difference,
    measure_retention,
    measure_score,
)

__all__ = ["measure"]

_MEASURES: Mapping[RuleMetric, Callable[[Judged, Target, float], Measurement]] = {
    "retention": measure_retention,
    "difference": measure_difference,
    "baseline_difference": measure_baseline_difference,
    "score": measure_score,
    "brier_difference": measure_brier_difference,
    "log_loss_difference": measure_log_loss_difference,
    "latency_ratio": measure_latency_ratio,
    "cost_ratio": measure_cost_ratio,
    "error_share": measure_error_share,
}


def measure(judged: Judged, target: Target, level: float) -> Measurement:
    """The figure of `target` with its bounds at the one-sided `level`.

    Raises:
        ConfigError: the run does not have what the rule needs.
    """
    measured = _MEASURES[target.rule.metric](judged, target, level)
    ends = possible_ends(target.rule.metric, target.metric, share=target.share)
    return replace(measured, interval=within(measured.interval, ends))
