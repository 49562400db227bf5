"""Each rule's figure with the interval whose ends are its one-sided bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.policy import Promise, RuleMetric
from kdeval.gate.possible import possible_ends, within
from kdeval.gate.resolve import Target
from kdeval.gate.rules.flips import measure_negative_flips
from kdeval.gate.rules.macro import measure_macro
from kdeval.gate.rules.run import measure_cost_ratio, measure_error_share, measure_latency_ratio
from kdeval.gate.rules.scores import (
    measure_baseline_difference,
    measure_brier_difference,
    measure_difference,
    measure_log_loss_difference,
    measure_retention,
    measure_score,
)
from kdeval.gate.rules.strictly import strictly
from kdeval.gate.rules.transfer import measure_transfer_gap

__all__ = ["measure"]

_MEASURES: Mapping[RuleMetric, Callable[[Judged, Target, float], Measurement]] = {
    "retention": measure_retention,
    "difference": measure_difference,
    "macro_retention": measure_macro,
    "macro_difference": measure_macro,
    "baseline_difference": measure_baseline_difference,
    "negative_flips": measure_negative_flips,
    "transfer_gap": measure_transfer_gap,
    "score": measure_score,
    "brier_difference": measure_brier_difference,
    "log_loss_difference": measure_log_loss_difference,
    "latency_ratio": measure_latency_ratio,
    "cost_ratio": measure_cost_ratio,
    "error_share": measure_error_share,
}


def measure(
    judged: Judged, target: Target, level: float, promise: Promise = "asymptotic"
) -> Measurement:
    """The figure of `target` with its bounds at the one-sided `level`.

    Raises:
        ConfigError: the run does not have what the rule needs.
    """
    measured = _MEASURES[target.rule.metric](judged, target, level)
    if promise == "strict":
        measured = strictly(measured, target, level)
    if target.rule.above_chance:
        return measured
    ends = possible_ends(target.rule.metric, target.metric, share=target.share)
    return replace(measured, interval=within(measured.interval, ends))
