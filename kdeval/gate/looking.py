"""Judging a policy in a run that asks until it is decided: by looks, each at its own level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kdeval.compare.comparison import ALL
from kdeval.cost.figures import cost_figures
from kdeval.errors import ConfigError, RunError
from kdeval.gate.anytime import bet_on, betting_range
from kdeval.gate.baseline import Baseline
from kdeval.gate.decision import LooksSummary, RuleResult, Verdict
from kdeval.gate.measurement import Judged, Measurement
from kdeval.gate.policy import GatePolicy, Promise
from kdeval.gate.quantity import confidence_text
from kdeval.gate.resolve import Target
from kdeval.gate.rules.measure import measure
from kdeval.gate.rules.tilted import tilt
from kdeval.stats.interval import unknown
from kdeval.stats.sequential.group_sequential import SequentialDesign, each_look_alone, lan_demets
from kdeval.store.fingerprints import value_digest
from kdeval.store.looks import SMALLEST_ERROR, Looks
from kdeval.store.run_directory import RunDirectory

__all__ = ["Looking", "policy_digest", "rule_results"]

_RESULTS = TypeAdapter(tuple[RuleResult, ...])
_Key = tuple[object, ...]
_CHOSEN_AFTERWARDS = (
    "this policy, student or baseline is not the one fixed before the first look, so that its "
    "limit may have been chosen after the data were seen, and it passes nothing here: judge it on "
    "new samples"
)


def policy_digest(policy: GatePolicy, student: str, baseline: Baseline | None) -> str:
    """What must stay the same from the first look to the last: rules, student, baseline."""
    against = None if baseline is None else [baseline.name, baseline.student, asdict(baseline)]
    return value_digest([policy.model_dump(mode="json", exclude_defaults=True), student, against])


def rule_results(results: tuple[Mapping[str, Any], ...]) -> tuple[RuleResult, ...]:
    """Results of an earlier look, from their JSON.

    Raises:
        RunError: they are not results of this version.
    """
    try:
        return _RESULTS.validate_python(results)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise RunError(
            f"looks.json holds results of another kdeval ({where}: {problem['msg']}): judge the "
            "run with the version that asked it"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """One look of a run, and what the looks before it decided.

    Attributes:
        look: counted from 1.
        covered: the policy, student and baseline are those fixed before the first look.
        before: results of the looks before this one; empty for a policy that is not covered.
    """

    looks: Looks
    look: int
    covered: bool
    before: tuple[RuleResult, ...]

    @classmethod
    def at(
        cls, run: RunDirectory, policy: GatePolicy, student: str, baseline: Baseline | None
    ) -> Looking | None:
        """The look that `run` is; None where its samples were fixed beforehand."""
        looks, look = run.looks(), run.manifest.look
        if looks is None or look is None:
            return None
        covered = looks.policy == policy_digest(policy, student, baseline)
        known = looks.taken[: look - 1] if covered else ()
        return cls(
            looks=looks,
            look=look,
            covered=covered,
            before=rule_results(known[-1].results) if known else (),
        )

    def trusted(self, verdict: Verdict, measured: Measurement) -> Verdict:
        """No pass by limits chosen after the data were seen, but for exact figures."""
        if self.covered or measured.exact or verdict != "pass":
            return verdict
        return "inconclusive"

    @property
    def slices(self) -> dict[str, tuple[str, ...]]:
        """Suite to the slices that it has at its full size."""
        return {suite: tuple(counts) for suite, counts in self.looks.units.items()}

    @property
    def last(self) -> bool:
        """Whether no further look is planned, so that missing samples can be counted."""
        return self.looks.kind == "obrien_fleming" and self.look == self.looks.planned

    def recorded(self) -> tuple[RuleResult, ...] | None:
        """The results of this look where it was taken already, for the policy it was taken for."""
        if not self.covered or len(self.looks.taken) < self.look:
            return None
        return rule_results(self.looks.taken[self.look - 1].results)

    def decided(self, target: Target) -> RuleResult | None:
        """The earlier result of a rule that passed or failed: it stays decided."""
        key = _target_key(target)
        return next(
            (item for item in self.before if _key(item) == key and item.verdict != "inconclusive"),
            None,
        )

    def design(
        self, judged: Judged, target: Target, alpha: float, promise: Promise = "asymptotic"
    ) -> SequentialDesign:
        """How the rule's error is spread over the looks.

        O'Brien-Fleming levels rest on sums that are nearly normal, so a strict rule does without.
        """
        units = self.looks.units.get(target.suite or "", {}).get(target.slice or "")
        information = self.looks.totals if units is None else units
        if _does_not_grow(judged, target):
            return lan_demets((information[-1],) * self.looks.planned, alpha)
        if self.looks.kind == "betting":
            if betting_range(target) is None or target.rule.above_chance:
                return each_look_alone(_doublings(information), alpha, open_ended=True)
            return SequentialDesign(
                kind="betting",
                alpha=alpha,
                information=information,
                levels=(1 - alpha,) * len(information),
                spent=(alpha,) * len(information),
            )
        if _is_no_mean(target) or promise == "strict":
            return each_look_alone(information, alpha)
        return lan_demets(information, alpha)

    def level(self, design: SequentialDesign) -> float:
        """One-sided confidence of the rule's bounds at this look."""
        complete = design.information[self.look - 1] == design.information[-1]
        if design.kind == "once" and complete:
            return 1 - design.alpha  # the same data at every such look: one test
        return design.levels[self.look - 1] or 1 - SMALLEST_ERROR

    def measured(
        self,
        judged: Judged,
        target: Target,
        level: float,
        design: SequentialDesign,
        promise: Promise = "asymptotic",
    ) -> Measurement:
        """The figure with the bounds that hold over all looks, and words that say so.

        Raises:
            ConfigError: the run does not have what the rule needs.
        """
        nothing = self._absent(judged, target, level)
        if nothing is not None:
            return nothing
        try:
            measured = measure(judged, target, level, promise)
        except ConfigError:
            if not self._may_come(target):
                raise
            return _nothing("nothing that it is made from was asked yet", level)
        return self._adjusted(measured, target, design)

    def _may_come(self, target: Target) -> bool:
        """Whether a later look may have what this one lacks: first samples of a slice or task."""
        partly = not target.rule.whole_run and target.slice != ALL
        return partly and self.look < self.looks.planned

    def _absent(self, judged: Judged, target: Target, level: float) -> Measurement | None:
        """A measurement of nothing where no sample of the slice was asked yet, else None."""
        if target.suite is None:
            return None
        table = judged.tables.get((judged.student, target.suite, str(target.score)))
        if table is None or target.slice is None or target.slice in table.slices:
            return None
        return _nothing("none of its samples was asked yet", level)

    def _adjusted(
        self, measured: Measurement, target: Target, design: SequentialDesign
    ) -> Measurement:
        if design.kind == "betting":
            largest = self.looks.largest_cluster.get(target.suite or "", {}).get(
                target.slice or "", 1
            )
            measured = bet_on(measured, target, level=1 - design.alpha, largest_cluster=largest)
        elif design.kind == "obrien_fleming":
            measured = tilt(measured, target, self.level(design))
        remark = self._remark(design)
        remarks = [*measured.remarks, *([remark] if remark else [])]
        if not self.covered and not measured.exact:
            remarks.append(_CHOSEN_AFTERWARDS)
        return replace(
            measured,
            floor=measured.floor if self.last or design.kind == "once" else None,
            remarks=tuple(remarks),
        )

    def summary(self, decided: bool) -> LooksSummary:
        """What a reader of the decision must know about looks."""
        return LooksSummary(
            kind=self.looks.kind,
            look=self.look,
            planned=self.looks.planned,
            samples=self.looks.totals[self.look - 1],
            samples_planned=self.looks.totals[-1],
            covered=self.covered,
            decided=decided,
        )

    def _remark(self, design: SequentialDesign) -> str | None:
        if design.kind == "once":
            return None
        if design.kind == "betting":
            return f"look {self.look}, a bound that holds at every look"
        which = f"look {self.look}"
        if self.looks.kind == "obrien_fleming":
            which += f" of {self.looks.planned}"
        return f"{which}: all looks together keep {confidence_text(1 - design.alpha)}"


def _nothing(reason: str, level: float) -> Measurement:
    interval = unknown(reason, confidence=2 * level - 1, method="none", n=0)
    return Measurement(interval=interval, margins=None, clusters=None)


def _does_not_grow(judged: Judged, target: Target) -> bool:
    """Figures that more samples do not change: probed latencies, and prices that are fixed."""
    if target.rule.metric == "latency_ratio":
        return judged.run.latencies() is not None
    if target.rule.metric != "cost_ratio":
        return False
    figures = cost_figures(judged.run, judged.student, 0.9)
    return figures is not None and figures.unit != "request"


def _is_no_mean(target: Target) -> bool:
    """Figures whose bounds are too rough, far in the tails, for the levels of early looks."""
    metric = target.metric
    return target.rule.metric in ("latency_ratio", "transfer_gap") or (
        metric is not None and metric.aggregation != "mean"
    )


def _doublings(information: tuple[int, ...]) -> tuple[int, ...]:
    """Looks that count: those with at least twice the data of the last one that did."""
    kept, last = [], 0
    for units in information:
        last = units if units >= max(2 * last, 1) else last
        kept.append(last)
    return tuple(kept)


def _target_key(target: Target) -> _Key:
    rule = target.rule
    quantile = (rule.quantile or "p50") if rule.metric == "latency_ratio" else None
    place = (target.suite, target.slice, target.score)
    return (rule.metric, *place, quantile, rule.direction, rule.limit, rule.above_chance)


def _key(result: RuleResult) -> _Key:
    place = (result.suite, result.slice, result.score)
    above = result.above_chance
    return (result.metric, *place, result.quantile, result.direction, result.limit, above)
