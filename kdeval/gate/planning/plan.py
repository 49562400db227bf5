"""How many samples each rule of a policy needs before it can be decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdeval.gate.policy import Direction, Promise, RuleMetric
from kdeval.records import RunHeader

__all__ = ["Assumptions", "PlannedSpend", "RulePlan", "SamplePlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The world that is planned for, where no pilot run shows one.

    Attributes:
        teacher_score: share of samples that the teacher gets right, or its mean score.
        retention: the student's score over the teacher's.
        disagreement: share of samples on which exactly one is right; None: the most that the two
            scores allow, which needs the most samples.
        sd: standard deviation of student minus teacher, for scores that are not right or wrong.
        cluster_size: samples that share a document or conversation.
        icc: how strongly those correlate, from 0 (not at all) to 1 (copies).
        shares: slice to its share of the suite's samples.
    """

    teacher_score: float
    retention: float
    disagreement: float | None = None
    sd: float | None = None
    cluster_size: float = 1.0
    icc: float = 0.0
    shares: Mapping[str, float] | None = None

    @property
    def student_score(self) -> float:
        """The student's score."""
        return self.teacher_score * self.retention


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """What one rule on one slice needs.

    Attributes:
        rule: in words.
        promise: what that confidence is worth; a strict one takes more samples.
        figure: what is assumed of it, or what the pilot showed.
        n: samples of the slice that the pilot has; None without a pilot.
        share: of the suite's samples that lie in the slice; None: unknown.
        needed: samples of the slice with which the rule passes with the wished power; None: no
            number would do, or it cannot be told, and `reason` says which.
        least: the same if the models part on as few samples as their scores allow.
        floor: samples below which the rule cannot pass even without a single flip.
        min_n: the policy's own minimum.
        of_suite: samples of the suite that hold `needed` of the slice on average.
        detectable: the limit that the pilot's n could show, with the wished power.
        expected_with_looks: samples of the slice asked on average with five looks
            (`kdeval run --until-decided`); None also for strict rules, whose looks cost more.
        most_with_looks: and at most.
        assumed: what the number rests on, in words.
        score_is_share: its score is written in percent.
    """

    rule: str
    metric: RuleMetric
    suite: str | None
    slice: str | None
    limit: float
    direction: Direction
    confidence: float
    promise: Promise
    figure: float | None
    n: int | None
    share: float | None
    needed: int | None
    least: int | None
    floor: int | None
    min_n: int
    of_suite: int | None
    detectable: float | None
    expected_with_looks: int | None
    most_with_looks: int | None
    assumed: str
    reason: str | None
    score_is_share: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSpend:
    """What asking one suite's samples takes.

    Attributes:
        suite: None where the policy does not say which.
        samples: to ask in all, so that every rule is decided.
        asked: of those, samples that the pilot has already.
        binding: the rule that needs the most, in words.
        usd: of the samples still to be asked, teacher and student; None: a price is unknown.
        seconds: the same in machine time, one request after the other; None: not measured.
    """

    suite: str | None
    samples: int
    asked: int
    binding: str
    usd: float | None
    seconds: float | None

    @property
    def more(self) -> int:
        """Samples still to be asked."""
        return max(0, self.samples - self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePlan:
    """A policy with the samples that it needs: what `kdeval plan` writes.

    Attributes:
        power: probability with which each rule passes, if the world is as assumed.
        all_pass: probability that all rules pass, at worst: one minus the sum of their misses,
            but for rules on latency; None where some rule has no number or an unknown share.
        run: name of the pilot run; None: `assumptions` hold.
        student: whom the pilot's figures are of.
        spend: one entry a suite; a suite with an undecidable rule has none.
        notes: what a reader must know before relying on it.
    """

    policy: str
    power: float
    all_pass: float | None
    run: str | None
    student: str | None
    assumptions: Assumptions | None
    rules: tuple[RulePlan, ...]
    spend: tuple[PlannedSpend, ...]
    notes: tuple[str, ...]
    header: RunHeader
    schema_version: Literal[1] = 1
    kind: Literal["kdeval.plan"] = "kdeval.plan"

    @property
    def undecidable(self) -> tuple[RulePlan, ...]:
        """Rules without a number."""
        return tuple(rule for rule in self.rules if rule.needed is None)
