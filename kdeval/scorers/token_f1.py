"""Overlap of words between output and reference, as question answering measures it.

Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD: 100,000+ Questions for Machine Comprehension of
Text", 2016.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.scorers.tokens import accepted_texts, words

__all__ = ["TokenF1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenF1:
    """Harmonic mean of precision and recall over words, the best over a list of references.

    Words as in `kdeval.scorers.tokens`: no case, no punctuation, one character a word where a
    script has no spaces. Two texts without words agree (1).

    Attributes:
        ignored_words: left out on both sides; the English articles unless told.
    """

    name: str = "token_f1"
    ignored_words: tuple[str, ...] = ("a", "an", "the")

    @property
    def metric(self) -> Metric:
        """Mean F1 over words."""
        return Metric(name=self.name)

    def score(self, sample: Sample, response: Response) -> Score:
        """F1 in [0, 1]."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = self._words(str(response.output))
        best = max(_f1(output, self._words(text)) for text in accepted_texts(sample.reference))
        return Score(scorer=self.name, value=best)

    def _words(self, text: str) -> Counter[str]:
        ignored = {word.casefold() for word in self.ignored_words}
        return Counter(word for word in words(text) if word not in ignored)


def _f1(output: Counter[str], reference: Counter[str]) -> float:
    total = output.total() + reference.total()
    return 2 * (output & reference).total() / total if total else 1.0
