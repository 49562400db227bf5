"""Marking one response, and whether a suite's scorers have what they need."""

from __future__ import annotations

from collections.abc import Mapping

from kdeval.errors import ConfigError
from kdeval.models.protocols import Model
from kdeval.records import Response, Sample, Score
from kdeval.scorers.protocol import Scorer
from kdeval.scorers.recorded_score import RecordedScore
from kdeval.suites.read import Suite

__all__ = ["mark", "require_scores"]


def require_scores(suite: Suite, models: Mapping[str, Model]) -> None:
    """Nothing, or ConfigError when recorded scores are to count and a model brings none."""
    if not any(isinstance(scorer, RecordedScore) for scorer in suite.scorers):
        return
    without = [name for name, model in models.items() if not getattr(model, "has_scores", False)]
    if without:
        why = (
            "the suite has no reference, so recorded scores count"
            if suite.config.reference is None
            else "`score` counts the scores that recorded predictions bring"
        )
        raise ConfigError(
            f"{suite.path}: {why}, but {', '.join(without)} "
            f"{'brings' if len(without) == 1 else 'bring'} none: map `score` in its columns, or "
            "give the suite "
            + ("a reference and scorers" if suite.config.reference is None else "other scorers")
        )


def mark(scorer: Scorer, sample: Sample, response: Response) -> Score:
    """The score, or none with the reason where the request itself failed."""
    if response.error is not None:
        return Score(scorer=scorer.metric.name, value=None, reason="the request failed")
    if response.marks is not None:
        absent = Score(scorer=scorer.metric.name, value=None, reason="exported without its text")
        return response.marks.get(scorer.metric.name, absent)
    return scorer.score(sample, response)
