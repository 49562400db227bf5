"""What a rule needs in a world that the user describes, before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from kdeval.gate.planning.needs import CELL_VALUES, Needs, needs_of_errors
from kdeval.gate.planning.plan import Assumptions
from kdeval.gate.policy import Rule, RuleMetric
from kdeval.gate.quantity import number_text
from kdeval.stats.planning.pairs import (
    Clustering,
    PairedRates,
    samples_for_mean,
    samples_for_rates,
    samples_without_a_flip,
)
from kdeval.stats.planning.strict import StrictFigure, samples_for_strict
from kdeval.stats.strict.floor import strict_floor

__all__ = ["needs_assumed"]

_PLANNED: Mapping[RuleMetric, StrictFigure] = {
    "retention": "retention",
    "difference": "difference",
    "score": "score",
}


_PILOT = "needs a pilot run: kdeval plan POLICY --run RUN"


def needs_assumed(rule: Rule, level: float, world: Assumptions, *, strict: bool) -> Needs | str:
    """In a world that the user describes; or why the rule cannot be planned in it.

    Args:
        rule: the rule.
        level: its one-sided confidence.
        world: what is assumed.
        strict: the rule promises a bound that holds at every n.
    """
    if rule.metric == "error_share":
        return needs_of_errors(0.0, level, "no request fails")
    if rule.metric not in _PLANNED or rule.above_chance:
        return _PILOT
    if rule.direction == "max":
        return f"less is better in this rule: {_PILOT}"
    if world.sd is not None:
        return f"strict, on scores that vary: {_PILOT}" if strict else _real(rule, level, world)
    most: float | Literal["most"] = "most"
    if world.disagreement is not None:
        most = world.disagreement
    rates = PairedRates.from_scores(world.teacher_score, world.student_score, most)
    flips = number_text(rates.disagreement, "percent", 1)
    said = f"{flips} of the samples flip"
    least = None
    if world.disagreement is None:
        said = f"at worst {said}"
        fewest = PairedRates.from_scores(world.teacher_score, world.student_score, "least")
        least = _on_rates(rule, level, fewest, world, strict=strict)
    score = rule.metric == "score"
    return Needs(
        figure=_figure_of(rule.metric, world),
        needed=_on_rates(rule, level, rates, world, strict=strict),
        furthest=0.0 if rule.metric in ("retention", "score") else -1.0,
        assumed="scores are right or wrong" if score else said,
        least=None if score else least,
        floor=_floor(rule, level, world, strict=strict),
    )


def _figure_of(metric: RuleMetric, world: Assumptions) -> float:
    if metric == "retention":
        return world.retention
    if metric == "score":
        return world.student_score
    return world.student_score - world.teacher_score


def _real(rule: Rule, level: float, world: Assumptions) -> Needs:
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
    rule: Rule, level: float, rates: PairedRates, world: Assumptions, *, strict: bool
) -> Callable[[float, float], int | None]:
    values = CELL_VALUES[rule.metric]
    clustering = _clustering(world, rates)

    def needed(limit: float, power: float) -> int | None:
        found = samples_for_rates(
            values(limit), rates, level=level, power=power, clustering=clustering
        )
        if found is None or not strict:
            return found
        return samples_for_strict(found, _PLANNED[rule.metric], rates, level=level)

    return needed


def _floor(rule: Rule, level: float, world: Assumptions, *, strict: bool) -> int | None:
    if rule.metric == "score":
        return None
    if strict:
        if rule.metric != "retention":
            return None
        return strict_floor(rule.limit, world.teacher_score, level=level)
    values = CELL_VALUES[rule.metric](rule.limit)
    return samples_without_a_flip(values, world.teacher_score, level=level)
