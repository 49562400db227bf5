"""What `router.yaml` says: validated, unknown keys rejected, readable in a pull request."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kdeval_router.decision import RankedBy
from kdeval_router.request import Feature

__all__ = [
    "SCHEMA_VERSION",
    "Costs",
    "Created",
    "EncoderEntry",
    "Guarantee",
    "Lineage",
    "RouterConfig",
    "Splits",
    "StudentEntry",
    "TaskEntry",
    "Thresholds",
    "Viability",
    "WeightsFile",
]

SCHEMA_VERSION = 1

Share = Annotated[float, Field(ge=0.0, le=1.0)]
OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Created(_Strict):
    """By what and when the router was fitted."""

    at: str
    kdeval: str
    git_revision: str | None
    versions: dict[str, str]
    run: str


class StudentEntry(_Strict):
    """One student: the model that was measured, and the request features it may be sent."""

    fingerprint: str
    supports: tuple[Feature, ...] = ()


class Viability(_Strict):
    """What the fit split says of one student in one task; no guarantee, only a choice.

    `routable_share` is the part of the task that could go to the student if the heads' ranking
    held, with negative flips within the maximum drop; `saving` is per routed request, relative
    to the teacher, None where costs are unknown.
    """

    n: Count
    teacher_score: Share
    student_score: Share
    negative_flips: Count
    routable_share: Share
    saving: float | None
    viable: bool


class TaskEntry(_Strict):
    """One task and who answers it; `reason` says why it stays with the teacher."""

    target: str
    reason: str | None
    n: Count
    conform_n: Count
    max_tokens: Count
    evidence: dict[str, Viability]


class EncoderEntry(_Strict):
    """How text becomes a vector."""

    kind: Literal["svd", "static"]
    source: str
    dimensions: Annotated[int, Field(ge=1)]
    vocabulary: Annotated[int, Field(ge=1)]
    references: Count
    scored_by_coverage: bool


class Thresholds(_Strict):
    """Routed is what has p > alpha_in_distribution and `ranked_by` <= maximum.

    No maximum: nothing is routed.
    """

    alpha_in_distribution: OpenShare
    ranked_by: RankedBy
    maximum: float | None


class Guarantee(_Strict):
    """What is promised, of what, under which assumption.

    Attributes:
        level: the maximum risk; `bound` is the exact upper bound reached at the threshold.
        n: certify units that count; `dropped` had an error or no score.
        share: part of the certify units that is routed.
        n_min: units needed before any threshold can pass, at zero negative flips.
        missing: units still missing, where nothing is certified and more could help.
    """

    certified: bool
    risk: str
    level: OpenShare
    confidence: OpenShare
    method: str
    sampling_unit: str
    assumption: str
    n: Count
    dropped: Count
    seed: int
    flips: Count | None
    bound: Share | None
    share: Share
    n_min: Count
    missing: Count | None
    note: str | None


class Costs(_Strict):
    """US dollars a request and what the figures rest on; None: unknown."""

    teacher_usd: float | None
    students_usd: dict[str, float | None]
    basis: str


class Lineage(_Strict):
    """Fingerprints of all that the certificate depends on."""

    teacher: str
    students: dict[str, str]
    encoder: Sha256
    suites: dict[str, str]
    data: Sha256
    metrics: dict[str, str]


class Splits(_Strict):
    """How samples were divided; the hashes of fit, conform and certify are in the weights."""

    seed: int
    unit: str
    fractions: dict[str, Share]
    samples: dict[str, Count]
    units: dict[str, Count]


class WeightsFile(_Strict):
    """The file with the arrays."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sha256: Sha256


class RouterConfig(_Strict):
    """All of `router.yaml`."""

    kind: Literal["kdeval.router"] = "kdeval.router"
    schema_version: Literal[1] = 1
    created: Created
    teacher: str
    students: dict[str, StudentEntry]
    tasks: dict[str, TaskEntry]
    thresholds: Thresholds
    guarantee: Guarantee
    fallback: str
    encoder: EncoderEntry
    max_characters: Annotated[int, Field(ge=1)]
    costs: Costs
    lineage: Lineage
    splits: Splits
    weights: WeightsFile
    config_hash: Sha256

    @model_validator(mode="after")
    def _is_consistent(self) -> RouterConfig:
        if self.fallback != self.teacher:
            raise ValueError(
                f"fallback must be the teacher {self.teacher!r}, got {self.fallback!r}"
            )
        known = {self.teacher, *self.students}
        for name, task in self.tasks.items():
            if task.target not in known:
                raise ValueError(f"task {name!r} has the unknown target {task.target!r}")
        if not self.tasks:
            raise ValueError("a router needs at least one task")
        return self

    def content_hash(self) -> str:
        """SHA-256 of everything but `config_hash`, as canonical JSON."""
        content = self.model_dump(mode="json", exclude={"config_hash"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
