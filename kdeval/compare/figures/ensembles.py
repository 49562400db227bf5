"""What an ensemble of a run adds over its members, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdeval.stats.interval import Interval

__all__ = ["AgreementPart", "EnsembleFigures", "MemberFigures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFigures:
    """One member beside its ensemble, on the samples that both have a score of.

    Attributes:
        difference: the ensemble's score minus the member's, at the confidence at which those of
            all members hold together: it covers the choice of the best one.
        only_ensemble: samples that only the ensemble got right; None unless right or wrong.
        only_member: samples that only the member got right.
        agreement: share of samples on which the member gave the ensemble's output.
    """

    member: str
    n: int
    score: Interval
    difference: Interval
    only_ensemble: int | None
    only_member: int | None
    agreement: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementPart:
    """A student and its teacher, an ensemble, where the members agree or do not."""

    student: str
    members: Literal["unanimous", "split"]
    n: int
    teacher_score: Interval
    student_score: Interval
    retention: Interval
    difference: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleFigures:
    """One ensemble on one suite by one metric.

    Attributes:
        best_member: the member with the best score, by estimate.
        unanimous: share of samples on which all members gave the same output.
        vote_share: mean share of the members that gave the ensemble's output.
        js: mean over samples and pairs of members of the Jensen-Shannon divergence in bits; None
            without probabilities of all.
        parts: each student where the members agree and where not; only where the teacher is the
            ensemble.
    """

    ensemble: str
    suite: str
    metric: str
    members: tuple[MemberFigures, ...]
    best_member: str | None
    unanimous: Interval | None
    vote_share: float | None
    js: Interval | None
    parts: tuple[AgreementPart, ...]
