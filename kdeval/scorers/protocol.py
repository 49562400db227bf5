"""How an answer is marked: one small protocol."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kdeval.records import Metric, Response, Sample, Score

__all__ = ["Scorer", "reference_problem", "requires_reference", "sample_problem", "unmarked"]


@runtime_checkable
class Scorer(Protocol):
    """Marks one response to one sample.

    Optional members: `needs_reference: bool` (True unless told), and
    `reference_problem(sample) -> str | None`, which says why a sample's reference cannot be
    marked against, or `sample_problem(sample)`, which says what else the sample lacks; a suite is
    refused for either when it is loaded. A score is missing (None, with
    the reason) only when there is nothing to mark; a bad answer is a low score.
    """

    @property
    def metric(self) -> Metric:
        """Name, direction and range of the scores."""

    def score(self, sample: Sample, response: Response) -> Score:
        """The mark; finite and within the metric's range, or None with a reason."""


def requires_reference(scorer: Scorer) -> bool:
    """True when the scorer can mark nothing without a reference."""
    return bool(getattr(scorer, "needs_reference", True))


def reference_problem(scorer: Scorer, sample: Sample) -> str | None:
    """Why the sample's reference is of no use to the scorer; None when it is."""
    check = getattr(scorer, "reference_problem", None)
    return None if check is None or sample.reference is None else check(sample)


def sample_problem(scorer: Scorer, sample: Sample) -> str | None:
    """What the sample lacks, beside its reference, for the scorer to mark it; None: nothing."""
    check = getattr(scorer, "sample_problem", None)
    return None if check is None else check(sample)


def unmarked(metric: Metric, sample: Sample, response: Response) -> Score | None:
    """The missing score of a response that cannot be marked; None when it can."""
    if response.error is not None:
        reason = f"no answer: {response.error}"
    elif response.output is None:
        reason = "no output was recorded"
    elif sample.reference is None:
        reason = "the sample has no reference"
    else:
        return None
    return Score(scorer=metric.name, value=None, reason=reason)
