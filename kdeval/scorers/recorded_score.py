"""The score that a log already carries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from kdeval.records import Metric, Response, Sample, Score

__all__ = ["RecordedScore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScore:
    """`Response.score` as it is, for models whose file has a score column.

    The range is declared unbounded, because the scorer sees one score at a time; say `low` and
    `high` where they are known, since only bounded scores can carry an exact guarantee.
    """

    needs_reference: ClassVar[bool] = False

    name: str = "score"
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low!r}) must be below high ({self.high!r})")

    @property
    def metric(self) -> Metric:
        """The log's own score."""
        return Metric(
            name=self.name, low=self.low, high=self.high, higher_is_better=self.higher_is_better
        )

    def score(self, sample: Sample, response: Response) -> Score:
        """The recorded score; missing when there is none, or it lies outside low and high."""
        value = response.score
        reason = self._reason(response)
        return Score(scorer=self.name, value=value if reason is None else None, reason=reason)

    def _reason(self, response: Response) -> str | None:
        """Why there is no score; None when there is one."""
        value = response.score
        if response.error is not None:
            return f"no answer: {response.error}"
        if value is None:
            return (
                "no score was recorded: map a score column, "
                "or give the suite a reference and scorers"
            )
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if math.isfinite(value) and low <= value <= high:
            return None
        return f"the recorded score {value!r} is not finite and within {low!r} to {high!r}"
