"""A run judged by a policy made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdeval.compare.compute import compare_run
from kdeval.gate.decide import judge
from kdeval.gate.decision import GateDecision, RuleResult
from kdeval.gate.policy import GatePolicy

MakeRun = Callable[..., Any]
Flips = Callable[..., tuple[list[float], list[float]]]

RETENTION = {"metric": "retention", "min": 0.95}


def policy(*rules: dict[str, object], **settings: object) -> GatePolicy:
    return GatePolicy.model_validate({"rules": list(rules), **settings})


def decide(run: Any, *rules: dict[str, object], **settings: Any) -> GateDecision:
    student, baseline = settings.pop("student", None), settings.pop("baseline", None)
    return judge(
        run, compare_run(run), policy(*rules, **settings), student=student, baseline=baseline
    )


def only(decision: GateDecision) -> RuleResult:
    (rule,) = decision.rules
    return rule
