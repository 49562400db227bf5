"""The output is the reference text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.scorers.tokens import accepted_texts, without_punctuation

__all__ = ["ExactMatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactMatch:
    """1 when the output is the reference, or one of a list of references, else 0.

    Always forgiven: Unicode composition, and the amount and place of white space.

    Attributes:
        ignore_case: "Paris" is "paris".
        ignore_punctuation: punctuation and symbols count for nothing.
    """

    name: str = "exact"
    ignore_case: bool = False
    ignore_punctuation: bool = False

    @property
    def metric(self) -> Metric:
        """Share of exact matches."""
        return Metric(name=self.name)

    def score(self, sample: Sample, response: Response) -> Score:
        """1 or 0."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = self._normalised(str(response.output))
        right = any(output == self._normalised(text) for text in accepted_texts(sample.reference))
        return Score(scorer=self.name, value=float(right))

    def _normalised(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        if self.ignore_case:
            text = text.casefold()
        if self.ignore_punctuation:
            text = without_punctuation(text)
        return " ".join(text.split())
