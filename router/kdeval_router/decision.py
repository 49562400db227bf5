"""The decision: who answers a request. The only implementation; routers are fitted with it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kdeval_router.heads import head_features

if TYPE_CHECKING:
    from kdeval_router.encoder import StaticEncoder
    from kdeval_router.familiarity import Familiarity, Placement
    from kdeval_router.heads import Heads
    from kdeval_router.request import Feature, ReadRequest

__all__ = ["Decision", "Evidence", "RankedBy", "Reason", "RoutingRule", "StudentRule", "TaskRule"]

Reason = Literal[
    "certified",
    "kill_switch",
    "unreadable_request",
    "empty_request",
    "too_long",
    "no_known_words",
    "unfamiliar",
    "task_not_viable",
    "student_changed",
    "unsupported_feature",
    "nothing_certified",
    "above_threshold",
    "internal_error",
]
"""Why: "certified" sends to the student, every other reason to the teacher."""

Role = Literal["teacher", "student"]

RankedBy = Literal["flip_risk", "expected_drop"]
"""What the certified threshold is a maximum of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who answers a request.

    Attributes:
        target: name of the model to call.
        role: whether that is the teacher or a student.
        reason: why.
        task: the task the request was assigned to, where it came that far.
        p_in_distribution: conformal p-value; small is unlike the traffic fitted on.
        expected_drop: P(teacher right) - P(student right) for the task's student.
        flip_risk: P(teacher right) x P(student wrong), a right answer that would be lost.
        config_hash: which router decided.
    """

    target: str
    role: Role
    reason: Reason
    task: str | None = None
    p_in_distribution: float | None = None
    expected_drop: float | None = None
    flip_risk: float | None = None
    config_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRule:
    """One task: its student (None: the teacher keeps it) and the longest request seen in it."""

    name: str
    student: str | None
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRule:
    """One student.

    Attributes:
        head: its row among the heads.
        supports: request features that it was shown to handle.
        changed: it is no longer the model that was measured.
    """

    head: int
    supports: frozenset[Feature] = frozenset()
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the decision rests on; None where the request did not come that far."""

    tokens: int = 0
    coverage: float = 0.0
    task: TaskRule | None = None
    placement: Placement | None = None
    p_in_distribution: float | None = None
    p_teacher: float | None = None
    p_student: float | None = None

    @property
    def expected_drop(self) -> float | None:
        """P(teacher right) - P(student right), or None."""
        if self.p_teacher is None or self.p_student is None:
            return None
        return self.p_teacher - self.p_student

    @property
    def flip_risk(self) -> float | None:
        """P(teacher right) x P(student wrong), or None; in [0, 1]."""
        if self.p_teacher is None or self.p_student is None:
            return None
        return self.p_teacher * (1.0 - self.p_student)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    """Everything that decides, in memory.

    Attributes:
        teacher: name of the teacher; it gets all that is unknown, broken or doubtful.
        alpha: share of familiar traffic that the in-distribution test may turn away.
        ranked_by: what `threshold` is a maximum of.
        threshold: the certified one; None: nothing is certified.
        max_characters: longer requests are not even read.
    """

    teacher: str
    students: Mapping[str, StudentRule]
    tasks: Sequence[TaskRule]
    encoder: StaticEncoder
    familiarity: Familiarity
    heads: Heads
    alpha: float
    ranked_by: RankedBy
    threshold: float | None
    max_characters: int
    config_hash: str

    def with_threshold(self, threshold: float | None) -> RoutingRule:
        """The same rule at another threshold."""
        return replace(self, threshold=threshold)

    def weigh(self, text: str) -> Evidence:
        """The evidence of a request's text (see `kdeval_router.request.canonical_text`)."""
        embedded = self.encoder.embed(text)
        placement = self.familiarity.place(embedded)
        if placement is None:
            return Evidence(tokens=embedded.tokens, coverage=embedded.coverage)
        task = self.tasks[placement.task]
        p_teacher = p_student = None
        if task.student is not None:
            features = head_features(embedded, placement.task, len(self.tasks))
            probabilities = self.heads.probabilities(features)
            p_teacher = float(probabilities[0])
            p_student = float(probabilities[self.students[task.student].head])
        return Evidence(
            tokens=embedded.tokens,
            coverage=embedded.coverage,
            task=task,
            placement=placement,
            p_in_distribution=self.familiarity.p_value(placement),
            p_teacher=p_teacher,
            p_student=p_student,
        )

    def decide(self, request: ReadRequest) -> Decision:
        """The decision on a request that was read."""
        return self.judge(request)[0]

    def judge(self, request: ReadRequest) -> tuple[Decision, Evidence]:
        """The decision with the evidence it rests on."""
        early = self._before_weighing(request)
        if early is not None:
            return self.to_teacher(early), Evidence()
        evidence = self.weigh(request.text)
        reason = self._reason(request, evidence)
        task = evidence.task
        student = None if task is None else task.student
        to_student = reason == "certified" and student is not None
        return (
            Decision(
                target=student if to_student and student is not None else self.teacher,
                role="student" if to_student else "teacher",
                reason=reason,
                task=None if task is None else task.name,
                p_in_distribution=evidence.p_in_distribution,
                expected_drop=evidence.expected_drop,
                flip_risk=evidence.flip_risk,
                config_hash=self.config_hash,
            ),
            evidence,
        )

    def to_teacher(self, reason: Reason) -> Decision:
        """A decision for the teacher that looked at no evidence."""
        return Decision(
            target=self.teacher, role="teacher", reason=reason, config_hash=self.config_hash
        )

    def _before_weighing(self, request: ReadRequest) -> Reason | None:
        if request.problem is not None:
            return "unreadable_request"
        if "other_content" in request.needs:
            return "unsupported_feature"
        if not request.text.strip():
            return "empty_request"
        if len(request.text) > self.max_characters:
            return "too_long"
        return None

    def _reason(self, request: ReadRequest, evidence: Evidence) -> Reason:
        task, p_value = evidence.task, evidence.p_in_distribution
        rank = evidence.flip_risk if self.ranked_by == "flip_risk" else evidence.expected_drop
        if task is None or p_value is None:
            return "no_known_words"
        if task.student is None or rank is None:
            return "task_not_viable"
        student = self.students[task.student]
        checks: tuple[tuple[bool, Reason], ...] = (
            (student.changed, "student_changed"),
            (not request.needs <= student.supports, "unsupported_feature"),
            (not p_value > self.alpha, "unfamiliar"),
            (evidence.tokens > task.max_tokens, "too_long"),
            (self.threshold is None, "nothing_certified"),
            (not rank <= (self.threshold or 0.0), "above_threshold"),
        )
        return next((reason for refused, reason in checks if refused), "certified")
