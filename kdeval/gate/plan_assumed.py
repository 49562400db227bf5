"""What a rule needs in a world that the user describes, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable

from kdeval.gate.plan import Assumptions
from kdeval.gate.plan_needs import CELL_VALUES, Needs, needs_of_errors
from kdeval.gate.policy import Rule, RuleMetric
from kdeval.gate.quantity import number_text
from kdeval.stats.planning import (
    Cells,
    Clustering,
    PairedRates,
    samples_for_mean,
    samples_for_rates,
    samples_without_a_flip,
)

__all__ = ["needs_assumed"]


def needs_assumed(rule: Rule, level: float, world: Assumptions) -> Needs | str:
    """In a world that the user describes; or why the rule cannot be planned in it."""
    if rule.metric == "error_share":
        return needs_of_errors(0.0, level, "no request fails")
    if rule.metric not in CELL_VALUES:
        return "needs a pilot run: kdeval plan POLICY --run RUN"
    if rule.direction == "max":
        return "less is better in this rule: plan it from a pilot run, with --run"
    if world.sd is not None:
        return _assumed_real(rule, level, world)
    if world.disagreement is None:
        rates = PairedRates.from_scores(world.teacher_score, world.student_score, "most")
        fewest = PairedRates.from_scores(world.teacher_score, world.student_score, "least")
        least = _on_rates(rule, level, fewest, _clustering(world, fewest))
        said = f"at worst {number_text(rates.disagreement, 'percent', 1)} of the samples flip"
    else:
        rates = PairedRates.from_scores(
            world.teacher_score, world.student_score, world.disagreement
        )
        least, said = None, f"{number_text(world.disagreement, 'percent', 1)} of the samples flip"
    values = CELL_VALUES[rule.metric]
    return Needs(
        figure=_figure_of(rule.metric, world),
        needed=_on_rates(rule, level, rates, _clustering(world, rates)),
        furthest=0.0 if rule.metric in ("retention", "score") else -1.0,
        assumed=said if rule.metric != "score" else "scores are right or wrong",
        least=None if rule.metric == "score" else least,
        floor=_floor(rule.metric, values(rule.limit), world.teacher_score, level),
    )


def _figure_of(metric: RuleMetric, world: Assumptions) -> float:
    if metric == "retention":
        return world.retention
    if metric == "score":
        return world.student_score
    return world.student_score - world.teacher_score


def _assumed_real(rule: Rule, level: float, world: Assumptions) -> Needs:
    assert world.sd is not None
    sd, figure = world.sd, _figure_of(rule.metric, world)
    scale = world.teacher_score if rule.metric == "retention" else 1.0
    clustering = None
    if world.cluster_size > 1:
        clustering = Clustering.equal(world.cluster_size, world.icc)

    def needed(limit: float, power: float) -> int | None:
        mean = (figure - limit) * scale
        return samples_for_mean(mean, sd, level=level, power=power, clustering=clustering)

    return Needs(
        figure=figure,
        needed=needed,
        furthest=0.0 if rule.metric == "retention" else figure - 10 * sd,
        assumed=f"scores that differ with a standard deviation of {sd:g}",
    )


def _clustering(world: Assumptions, rates: PairedRates) -> Clustering | None:
    if world.cluster_size <= 1:
        return None
    return Clustering.equal(world.cluster_size, world.icc, rates.disagreement)


def _on_rates(
    rule: Rule, level: float, rates: PairedRates, clustering: Clustering | None
) -> Callable[[float, float], int | None]:
    values = CELL_VALUES[rule.metric]
    sign = 1 if rule.direction == "min" else -1

    def needed(limit: float, power: float) -> int | None:
        a, b, c, d = values(limit)
        return samples_for_rates(
            (sign * a, sign * b, sign * c, sign * d),
            rates,
            level=level,
            power=power,
            clustering=clustering,
        )

    return needed


def _floor(metric: RuleMetric, values: Cells, teacher: float, level: float) -> int | None:
    return None if metric == "score" else samples_without_a_flip(values, teacher, level=level)
