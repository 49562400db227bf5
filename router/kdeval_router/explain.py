"""A decision in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from kdeval_router.decision import Decision, Evidence, Reason, RoutingRule
from kdeval_router.request import ReadRequest

__all__ = ["Explanation", "explain"]

_WORDS: dict[Reason, str] = {
    "certified": "the request is familiar and its risk is within the certified threshold",
    "kill_switch": "the kill switch KDEVAL_ROUTER_TEACHER_ONLY is on",
    "unreadable_request": "the request could not be read",
    "empty_request": "the request holds no text",
    "too_long": "the request is longer than any that the router was fitted on",
    "no_known_words": "the request holds no word that the router knows",
    "unfamiliar": "the request is unlike the traffic that the router was fitted on",
    "task_not_viable": "no student was found fit for this task",
    "student_changed": "the student deployed now is not the one that was measured",
    "unsupported_feature": "the student was not measured on a feature that the request uses",
    "nothing_certified": "no threshold could be certified on the data the router was fitted on",
    "above_threshold": "the risk of losing a right answer is above the certified threshold",
    "internal_error": "the router failed on this request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a request goes where it goes; `str()` is the text for people."""

    decision: Decision
    evidence: Evidence
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def explain(
    rule: RoutingRule, request: ReadRequest, decision: Decision, evidence: Evidence
) -> Explanation:
    """The explanation of `decision`, with every number that was known when it was taken."""
    lines = [f"{decision.target} ({decision.role}): {_WORDS[decision.reason]}."]
    if request.problem is not None:
        lines.append(f"request: {request.problem}")
    if request.needs:
        lines.append(f"request needs: {', '.join(sorted(request.needs))}")
    if evidence.tokens:
        lines.append(f"length: {evidence.tokens} tokens{_longest(evidence)}")
    if evidence.placement is not None and evidence.task is not None:
        lines += _placement_lines(rule, evidence)
    if evidence.p_teacher is not None and evidence.p_student is not None:
        lines += _head_lines(rule, evidence)
    lines.append(f"router: {decision.config_hash[:12]}")
    return Explanation(decision=decision, evidence=evidence, lines=tuple(lines))


def _longest(evidence: Evidence) -> str:
    return (
        "" if evidence.task is None else f" (longest seen in its task: {evidence.task.max_tokens})"
    )


def _placement_lines(rule: RoutingRule, evidence: Evidence) -> list[str]:
    placement, task = evidence.placement, evidence.task
    if placement is None or task is None:
        return []
    likeness = f"likeness to its nearest known requests {placement.neighbour:.2f}"
    if placement.background is not None:
        likeness += f", to those of other tasks {placement.background:.2f}"
    return [
        f"task: {task.name} ({likeness}; words known {evidence.coverage:.2f})",
        f"familiarity: p = {evidence.p_in_distribution:.3f}, must be above {rule.alpha:g}",
    ]


def _head_lines(rule: RoutingRule, evidence: Evidence) -> list[str]:
    student = None if evidence.task is None else evidence.task.student
    limit = rule.threshold
    threshold = "nothing is certified" if limit is None else f"at most {limit:.3f} is certified"
    flip, drop = (
        f"flip risk: {evidence.flip_risk:.3f}",
        f"expected drop: {evidence.expected_drop:+.3f}",
    )
    first, second = (flip, drop) if rule.ranked_by == "flip_risk" else (drop, flip)
    return [
        f"P({rule.teacher} right) = {evidence.p_teacher:.3f}, "
        f"P({student} right) = {evidence.p_student:.3f}",
        f"{first}, {threshold}; {second}",
    ]
