"""How likely a model holds the reference texts: perplexity, and bits per byte."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked

__all__ = ["BitsPerByte", "Perplexity"]

_LARGEST = 700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfLikelihood(ABC):
    needs_reference: ClassVar[bool] = True

    name: str

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """The score of a set."""

    def reference_problem(self, sample: Sample) -> str | None:
        """Why the reference cannot be held likely; None when it can."""
        if sample.kind != "likelihood":
            return f"{self.name} belongs to kind: likelihood, where models score the reference"
        return None if str(sample.reference) else "the text is empty"

    def score(self, sample: Sample, response: Response) -> Score:
        """The sample's own; missing without the text's log-probability and number of tokens."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        tokens, mean = response.output_tokens, response.mean_log_prob
        reason = None
        if sample.kind != "likelihood":
            reason = self.reference_problem(sample)
        elif not tokens or mean is None:
            reason = "the model told no log-probability of the text, or not of how many tokens"
        elif not -_LARGEST < mean <= 0:
            reason = f"a mean log-probability of {mean!r} has no finite score"
        if reason is not None or tokens is None or mean is None:
            return Score(scorer=self.name, value=None, reason=reason)
        return self._scored(sample, -mean * tokens, tokens)

    @abstractmethod
    def _scored(self, sample: Sample, nats: float, tokens: int) -> Score:
        """The score of a text that costs so many nats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity(_OfLikelihood):
    """exp of the nats a token that the texts cost, over all their tokens. Lower is better.

    Models that split a text into different tokens cannot be compared by it: see `BitsPerByte`.
    """

    name: str = "perplexity"

    @property
    def metric(self) -> Metric:
        """From 1, without a largest value."""
        return Metric(
            name=self.name,
            higher_is_better=False,
            low=1.0,
            high=None,
            aggregation="exp_ratio_of_sums",
        )

    def _scored(self, sample: Sample, nats: float, tokens: int) -> Score:
        return Score(
            scorer=self.name, value=math.exp(nats / tokens), statistics=(nats, float(tokens))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BitsPerByte(_OfLikelihood):
    """Bits that the texts cost over their UTF-8 bytes: comparable across tokenizers. Lower is
    better.
    """

    name: str = "bits_per_byte"

    @property
    def metric(self) -> Metric:
        """From 0, without a largest value."""
        return Metric(
            name=self.name, higher_is_better=False, high=None, aggregation="ratio_of_sums"
        )

    def _scored(self, sample: Sample, nats: float, tokens: int) -> Score:
        bits = nats / math.log(2)
        size = len(str(sample.reference).encode("utf-8", "surrogatepass"))
        return Score(scorer=self.name, value=bits / size, statistics=(bits, float(size)))
