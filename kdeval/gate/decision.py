"""What the gate decided: a verdict, and for every rule the evidence behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kdeval.gate.ledger import ErrorLedger
from kdeval.gate.policy import Direction, Promise, RuleMetric
from kdeval.records import RunHeader
from kdeval.stats.sequential.group_sequential import SequentialDesign

__all__ = ["EXIT_CODES", "GateDecision", "LooksSummary", "RuleResult", "Verdict"]

Verdict = Literal["pass", "fail", "inconclusive"]

EXIT_CODES: Mapping[Verdict, int] = {"pass": 0, "fail": 1, "inconclusive": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule on one slice.

    Attributes:
        rule: the rule in words.
        suite: None for what is measured over the whole run, as `slice` and `score` are then.
        score: the metric of the suite that is judged; None for probabilities.
        bound: the one-sided bound that must clear the limit: lower for a min, upper for a max.
        opposite_bound: the other one; on the wrong side of the limit, it makes the rule fail.
        confidence: one-sided, of each of the two bounds.
        n: samples (requests for latency, cost and errors) that count.
        min_n: below it the rule is inconclusive.
        clusters: independent units among the n, None when every sample is its own.
        left_out: samples that do not count: a score or cost of them is missing, or they changed
            since the baseline.
        max_missing: share of samples left out above which the rule is inconclusive; None for
            what is measured over all requests.
        evidence: the figures and what follows from them, in one sentence.
        samples_missing: about how many more would make an inconclusive rule pass at the present
            estimate; None where no number would, or where more of the same would not help.
        floor: the fewest samples with which this limit can be passed at all, where that is known.
        design: in a run that asks until its policy is decided: how the rule's error is spread over
            the looks; `confidence` is then that of the look, so that all of them keep 1 - alpha.
        look: the look (from 1) that the bounds are of: the one that decided the rule, or the last.
        promise: what the confidence is worth: "asymptotic" bounds miss at most about 1.25 times as
            often as they say, "strict" ones never more often.
        above_chance: the retention is that of the scores above chance.
        detectable: of an inconclusive rule: the tightest limit that another run of this n would
            show with 80 % probability, were the student as good as it looks; never tighter than
            `bound`.
        could_show: the same in words.
        shown: on the first that does not pass of a rule on several slices: those that are shown to
            pass, corrected for their number (Holm).
    """

    rule: str
    metric: RuleMetric
    suite: str | None
    slice: str | None
    score: str | None
    quantile: str | None
    limit: float
    direction: Direction
    estimate: float | None
    bound: float | None
    opposite_bound: float | None
    confidence: float
    n: int
    min_n: int
    clusters: int | None
    left_out: int
    max_missing: float | None
    verdict: Verdict
    evidence: str
    samples_missing: int | None
    method: str
    floor: int | None
    design: SequentialDesign | None = None
    look: int | None = None
    promise: Promise = "asymptotic"
    above_chance: bool = False
    detectable: float | None = None
    could_show: str | None = None
    shown: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksSummary:
    """Which look at a growing run a decision is of.

    Attributes:
        planned: looks in all; with betting, as many as the present samples allow.
        samples: asked so far.
        samples_planned: asked at the last look.
        covered: the policy, student and baseline are those fixed before the first look.
        decided: every rule has passed at some look, or one has failed.
    """

    kind: Literal["obrien_fleming", "betting"]
    look: int
    planned: int
    samples: int
    samples_planned: int
    covered: bool
    decided: bool

    @property
    def text(self) -> str:
        """What a reader must know about it."""
        names = {"obrien_fleming": "O'Brien-Fleming", "betting": "betting"}
        which = (
            f"look {self.look} of {self.planned}"
            if self.kind != "betting"
            else (f"look {self.look}, any number of looks allowed")
        )
        said = (
            f"{which} ({names[self.kind]}): {self.samples:,} of {self.samples_planned:,} samples "
            "asked; every rule keeps its confidence over all looks together"
        )
        if not self.covered:
            return (
                f"{said}, but this is not the policy and student that the looks were planned for: "
                "it passes nothing here, since its limits may have been chosen after the data were "
                "seen; judge it on new samples"
            )
        if not self.decided and self.look < self.planned:
            return f"{said}; not decided yet: the same `kdeval run` goes on"
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """One student of a run against a policy.

    Attributes:
        verdict: fail if any rule fails, else inconclusive if any is, else pass.
        run: name of the run.
        baseline: name of the baseline's run and student, when a rule was measured against one.
        confidence: one-sided, of the rules that set none of their own.
        header: of the run that was judged.
        looks: of a run that asks until its policy is decided; None: its samples were fixed before.
        ledger: what may go wrong, how often, and how that error was split.
        notes: on suites that were judged in which samples repeat each other's prompts.
    """

    verdict: Verdict
    run: str
    teacher: str
    student: str
    baseline: str | None
    confidence: float
    rules: tuple[RuleResult, ...]
    header: RunHeader
    looks: LooksSummary | None = None
    ledger: ErrorLedger | None = None
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = 1
    kind: Literal["kdeval.gate"] = "kdeval.gate"

    @property
    def exit_code(self) -> int:
        """Of `kdeval gate`: 0 pass, 1 fail, 3 inconclusive."""
        return EXIT_CODES[self.verdict]

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        counts = dict.fromkeys(EXIT_CODES, 0)
        for rule in self.rules:
            counts[rule.verdict] += 1
        said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        plural = "rule" if len(self.rules) == 1 else "rules"
        return f"{self.student}: {self.verdict} ({len(self.rules)} {plural}: {said})"


def overall(rules: tuple[RuleResult, ...]) -> Verdict:
    """The verdict over all rules."""
    verdicts = {rule.verdict for rule in rules}
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"
