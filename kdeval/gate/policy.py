"""What a gate policy (gate.yaml) may say; `kdeval schema gate-policy` prints it as JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kdeval.config.yaml_file import load_yaml_model, nearest

__all__ = ["Direction", "GatePolicy", "Promise", "Rule", "RuleMetric", "load_policy"]

RuleMetric = Literal[
    "retention",
    "difference",
    "macro_retention",
    "macro_difference",
    "baseline_difference",
    "negative_flips",
    "transfer_gap",
    "score",
    "brier_difference",
    "log_loss_difference",
    "latency_ratio",
    "cost_ratio",
    "error_share",
]
Direction = Literal["min", "max"]
Promise = Literal["asymptotic", "strict"]
"""What a rule's confidence is worth: held up to 1.25 times the error, or never exceeded."""

_PROMISE_WORDS = (
    "asymptotic: bounds miss at most about 1.25 times as often as they say; strict: never more "
    "often, at any n, for twice the samples"
)

_ALWAYS_MAX: tuple[RuleMetric, ...] = (
    "negative_flips",
    "brier_difference",
    "log_loss_difference",
    "latency_ratio",
    "cost_ratio",
    "error_share",
)
_WHOLE_RUN: tuple[RuleMetric, ...] = ("latency_ratio", "cost_ratio", "error_share")
_MACRO: tuple[RuleMetric, ...] = ("macro_retention", "macro_difference")
_NEVER_STRICT: dict[RuleMetric, str] = {
    "log_loss_difference": "a log-loss has no upper limit: use brier_difference",
    "transfer_gap": "a difference between two suites has only an asymptotic interval",
    "latency_ratio": "a ratio of quantiles has only a bootstrap or asymptotic interval",
    "cost_ratio": "a cost has no upper limit",
}
_NO_MISSING: tuple[RuleMetric, ...] = ("latency_ratio", "error_share")
_NO_SCORE: tuple[RuleMetric, ...] = ("brier_difference", "log_loss_difference")

_CALIBRATION = ("calibration", "debiased_l2", "ece", "ks", "smooth_ece", "temperature")
_ALONE = ("brier", "log_loss")
_DIAGNOSTICS = (
    "agreement", "attention", "cka", "entropy", "hidden_states", "js", "kappa", "kl", "layers",
    "relation", "relations",
)  # fmt: skip


def _is_one_of(name: str, words: tuple[str, ...]) -> bool:
    return any(name == word or name.startswith(f"{word}_") for word in words)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(_Strict):
    """One metric, where it is measured, and the limit that its one-sided bound must clear."""

    metric: RuleMetric = Field(
        description="differences are student minus teacher; brier_difference is of the Brier "
        "score halved (its squares, summed over the classes, by two), so it lies between -1 and 1"
    )
    suite: str | None = Field(
        None, description='optional when the run has one suite; "each" for every suite'
    )
    slice: str = Field(
        "all",
        description='a slice, "each", or "domain=*" for every value of a tag; "task=*" for every '
        "task, a suite of one task being one",
    )
    score: str | None = Field(None, description="optional when the suite has one metric")
    quantile: Literal["p50", "p90", "p99"] | None = Field(
        None, description="of latency_ratio; default p50"
    )
    min: float | None = Field(None, description="the least that passes")
    max: float | None = Field(None, description="the most that passes")
    above_chance: bool = Field(
        False, description="of retention: both scores above what guessing would score"
    )
    promise: Promise | None = Field(None, description="of this rule")
    confidence: float | None = Field(None, gt=0.5, lt=1, description="one-sided, of this rule")
    min_n: int | None = Field(
        None, ge=1, description="of this rule; of macro_* all tasks' samples together"
    )
    max_missing: float | None = Field(None, ge=0, le=1, description="of this rule")

    @field_validator("metric", mode="before")
    @classmethod
    def _gateable(cls, value: object) -> object:
        name = str(value).lower()
        if name in get_args(RuleMetric):
            return name
        if _is_one_of(name, _CALIBRATION):
            raise ValueError(
                "a calibration error cannot be gated on: it is biased upwards, so a perfectly "
                "calibrated model does not score 0; use brier_difference or log_loss_difference, "
                "which are paired means"
            )
        if _is_one_of(name, _ALONE):
            raise ValueError(
                f"use {'brier' if name.startswith('brier') else 'log_loss'}_difference: student "
                "minus teacher on the same samples"
            )
        if _is_one_of(name, _DIAGNOSTICS):
            raise ValueError(
                "a diagnostic explains and never decides; use retention or difference, or for "
                "probabilities brier_difference or log_loss_difference"
            )
        raise ValueError(f"there is no metric of this name; {nearest(name, get_args(RuleMetric))}")

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        problem = self._limit_problem() or self._place_problem() or self._promise_problem()
        if problem is not None:
            raise ValueError(problem)
        return self

    def _limit_problem(self) -> str | None:
        if (self.min is None) == (self.max is None):
            expected = "max" if self.metric in _ALWAYS_MAX else "min"
            return f"a rule takes exactly one of min and max; {self.metric} takes {expected}"
        if self.metric in _ALWAYS_MAX and self.max is None:
            return f"{self.metric} takes max, not min: lower is better"
        if self.metric in _MACRO and self.min is None:
            return f"{self.metric} takes min, not max: only scores of which more is better count"
        if self.metric in ("retention", "macro_retention") and not 0 < self.limit <= 2:
            return f"retention is a ratio: write 0.95 for 95 %, not {self.limit:g}"
        if self.metric == "macro_difference" and abs(self.limit) >= 1:
            return (
                "a difference of scores between 0 and 1 lies between -1 and 1: write "
                f"{self.limit / 100:g} for {abs(self.limit):g} points, not {self.limit:g}"
            )
        if self.metric in ("latency_ratio", "cost_ratio") and self.limit <= 0:
            return f"{self.metric} is student / teacher: max must be above 0, not {self.limit:g}"
        if self.metric == "brier_difference" and abs(self.limit) >= 1:
            return (
                "a Brier difference lies between -1 and 1: write 0.01 for one hundredth, "
                f"not {self.limit:g}"
            )
        if self.metric in ("error_share", "negative_flips") and not 0 < self.limit < 1:
            unit = "requests" if self.metric == "error_share" else "samples"
            return (
                f"{self.metric} needs a max between 0 and 1, both excluded: no number of {unit} "
                f"shows a share of exactly 0 (got {self.limit:g})"
            )
        return None

    def _place_problem(self) -> str | None:
        if self.quantile is not None and self.metric != "latency_ratio":
            return f"quantile goes with latency_ratio, not with {self.metric}"
        if self.above_chance and self.metric != "retention":
            return f"above_chance goes with retention, not with {self.metric}"
        if self.metric in _WHOLE_RUN or self.metric in _MACRO:
            where = "over all tasks" if self.metric in _MACRO else "over the whole run"
            for key, given in (
                ("suite", self.suite is not None),
                ("slice", self.slice != "all"),
                ("score", self.score is not None),
            ):
                if given:
                    return f"{self.metric} is measured {where}: leave out {key}"
        if self.metric in _NO_MISSING and self.max_missing is not None:
            return f"{self.metric} is measured over all requests: leave out max_missing"
        if self.metric in _NO_SCORE and self.score is not None:
            return f"{self.metric} is made from probabilities: leave out score"
        return None

    def _promise_problem(self) -> str | None:
        if self.promise == "strict" and self.metric in _NEVER_STRICT:
            return f"no strict promise can be kept on {self.metric}: {_NEVER_STRICT[self.metric]}"
        return None

    @property
    def limit(self) -> float:
        """The number that the bound must clear."""
        limit = self.min if self.min is not None else self.max
        assert limit is not None
        return limit

    @property
    def direction(self) -> Direction:
        """Whether the limit is the least or the most that passes."""
        return "min" if self.min is not None else "max"

    @property
    def whole_run(self) -> bool:
        """True for what has no suite and no slice: latency, cost and errors."""
        return self.metric in _WHOLE_RUN

    @property
    def macro(self) -> bool:
        """True for averages over all tasks of the run."""
        return self.metric in _MACRO


class GatePolicy(_Strict):
    """The rules a student must meet; all must pass, so no rule's level needs a correction."""

    schema_version: Literal[1] = 1
    confidence: float = Field(0.95, gt=0.5, lt=1, description="one-sided, of every rule")
    min_n: int = Field(
        50,
        ge=1,
        description="a rule on fewer samples is inconclusive; a macro_* rule counts those of all "
        "its tasks together",
    )
    max_missing: float = Field(
        0.05,
        ge=0,
        le=1,
        description="the largest share of a slice's samples that may be left out: for an error, a "
        "missing score, missing probabilities or costs, or (against a baseline) because they "
        "changed since the baseline or are not in it; above it a rule is inconclusive",
    )
    promise: Promise = Field("asymptotic", description=_PROMISE_WORDS)
    student: str | None = Field(None, description="the student judged; the command line's wins")
    rules: list[Rule] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> GatePolicy:
        seen: set[tuple[object, ...]] = set()
        for rule in self.rules:
            key = (rule.metric, rule.suite, rule.slice, rule.score, rule.quantile, rule.direction,
                   rule.above_chance)  # fmt: skip
            if key in seen:
                raise ValueError(f"two rules set the same limit: {rule.metric}, {rule.slice}")
            seen.add(key)
        return self

    def level(self, rule: Rule) -> float:
        """One-sided confidence of `rule`."""
        return self.confidence if rule.confidence is None else rule.confidence

    def promise_of(self, rule: Rule) -> Promise:
        """What the confidence of `rule` is worth.

        A policy that is strict as a whole is so wherever that can be kept; the evidence names the
        promise of each rule.
        """
        if rule.promise is not None:
            return rule.promise
        if rule.metric == "error_share":
            return "strict"
        return "asymptotic" if rule.metric in _NEVER_STRICT else self.promise

    def least_n(self, rule: Rule) -> int:
        """Samples below which `rule` is inconclusive."""
        return self.min_n if rule.min_n is None else rule.min_n

    def sets_least_n(self, rule: Rule) -> bool:
        """Whether that number was written down, for `rule` or for all."""
        return rule.min_n is not None or "min_n" in self.model_fields_set

    def most_missing(self, rule: Rule) -> float | None:
        """Share of samples left out above which `rule` is inconclusive; None: it has no such."""
        if rule.metric in _NO_MISSING:
            return None
        return self.max_missing if rule.max_missing is None else rule.max_missing


def load_policy(path: str | Path) -> GatePolicy:
    """The policy at `path`.

    Raises:
        ConfigError: listing every problem with its file and line.
    """
    return load_yaml_model(path, GatePolicy)
