"""Whether one of k answers to the same prompt would be right."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import Scorer, reference_problem, requires_reference, unmarked

__all__ = ["PassAtK"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassAtK:
    """The chance that at least one of `k` samples, drawn without replacement from those given, is
    right: 1 - C(n - c, k) / C(n, k) for c right ones among n. That is unbiased for k fresh samples
    (Chen et al. 2021, "Evaluating Large Language Models Trained on Code").

    Attributes:
        scorer: marks each sample; a full mark is right, anything less is not.
        k: how many tries count as one.
    """

    scorer: Scorer
    k: int = 1
    name: str | None = None

    @property
    def metric(self) -> Metric:
        """Mean chance over the prompts."""
        return Metric(name=self.name or f"pass@{self.k}")

    @property
    def needs_reference(self) -> bool:
        """As the scorer of a single sample does."""
        return requires_reference(self.scorer)

    def reference_problem(self, sample: Sample) -> str | None:
        """As the scorer of a single sample says."""
        return reference_problem(self.scorer, sample)

    def score(self, sample: Sample, response: Response) -> Score:
        """The chance; missing where there are fewer than `k` samples or one cannot be marked."""
        missing = unmarked(self.metric, sample, response) if self.needs_reference else None
        if missing is not None:
            return missing
        texts = response.samples or (response.output,)
        n = len(texts)
        if response.tool_calls is not None and n > 1:
            return self._none("of several samples the tool calls are not kept one by one")
        if n < self.k:
            return self._none(f"{self.k} tries need as many samples, there {_are(n)}")
        right = 0
        for text in texts:
            one = dataclasses.replace(response, output=text, samples=None)
            mark = self.scorer.score(sample, one)
            if mark.value is None:
                return self._none(mark.reason or "a sample cannot be marked")
            right += mark.value >= (self.scorer.metric.high or 1.0)
        value = 1 - math.comb(n - right, self.k) / math.comb(n, self.k)
        return Score(scorer=self.metric.name, value=value)

    def _none(self, reason: str) -> Score:
        return Score(scorer=self.metric.name, value=None, reason=reason)


def _are(n: int) -> str:
    return "is 1" if n == 1 else f"are {n}"
