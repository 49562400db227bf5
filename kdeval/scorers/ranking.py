"""Whether a ranking brings relevant documents to its top: nDCG and recall at k.

Each query's score is a number between 0 and 1 and a set's score their mean, so these are judged as
any other mean is.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked

__all__ = ["Ndcg", "RecallAtK", "relevance"]


def relevance(reference: Any) -> dict[str, float] | None:
    """Document id to its gain, those above 0; None where the reference does not say it.

    Args:
        reference: a mapping of ids to gains, a list of relevant ids, or either as JSON text.
    """
    if isinstance(reference, str):
        try:
            reference = json.loads(reference)
        except ValueError:
            return None
    if isinstance(reference, (list, tuple)):
        if not all(isinstance(item, (str, int)) for item in reference):
            return None
        reference = {str(item): 1.0 for item in reference}
    if not isinstance(reference, Mapping):
        return None
    gains: dict[str, float] = {}
    for name, gain in reference.items():
        if isinstance(gain, bool) or not isinstance(gain, (int, float)) or not gain >= 0:
            return None
        if gain > 0 and math.isfinite(gain):
            gains[str(name)] = float(gain)
    return gains or None


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtK(ABC):
    k: int = 10
    name: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be 1 or more, got {self.k!r}")

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """Mean over the queries."""

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference is no judgement of documents; None when it is."""
        gains = relevance(sample.reference)
        if gains is None:
            return "the reference must map document ids to gains above 0, or list the relevant ids"
        corpus = sample.corpus
        if corpus is None:
            return f"{self.metric.name} belongs to kind: retrieval"
        unknown = [name for name in gains if name not in corpus]
        if unknown:
            return f"the relevant document {unknown[0]!r} is not in the corpus"
        if self.k > corpus.depth:
            return f"k is {self.k}, but models return {corpus.depth} documents: set `depth`"
        return None

    def score(self, sample: Sample, response: Response) -> Score:
        """Between 0 and 1; 0 for an output that is no JSON list of ids."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        gains = relevance(sample.reference)
        if gains is None:
            reason = "the reference judges no document"
            return Score(scorer=self.metric.name, value=None, reason=reason)
        ranking = _ranking(str(response.output))
        if ranking is None:
            reason = "the output is no JSON list of document ids"
            return Score(scorer=self.metric.name, value=0.0, reason=reason)
        return Score(scorer=self.metric.name, value=self._value(gains, ranking[: self.k]))

    @abstractmethod
    def _value(self, gains: Mapping[str, float], top: Sequence[str]) -> float:
        """Of the first k ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ndcg(_AtK):
    """Gains of the first k documents, each divided by log2 of its place plus one, over the most
    that any ranking could have (Järvelin & Kekäläinen 2002, with linear gains).
    """

    @property
    def metric(self) -> Metric:
        """Mean over the queries."""
        return Metric(name=self.name or f"ndcg@{self.k}")

    def _value(self, gains: Mapping[str, float], top: Sequence[str]) -> float:
        found = _discounted([gains.get(name, 0.0) for name in top])
        best = _discounted(sorted(gains.values(), reverse=True)[: self.k])
        return min(1.0, found / best)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAtK(_AtK):
    """Share of the relevant documents that are among the first k."""

    @property
    def metric(self) -> Metric:
        """Mean over the queries."""
        return Metric(name=self.name or f"recall@{self.k}")

    def _value(self, gains: Mapping[str, float], top: Sequence[str]) -> float:
        return len(gains.keys() & set(top)) / len(gains)


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def _ranking(output: str) -> list[str] | None:
    """Ids in order, a repeated one where it first comes; None where the output is no such list."""
    try:
        found = json.loads(output)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    return list(dict.fromkeys(str(item) for item in found if isinstance(item, (str, int))))
