"""ROUGE-1, ROUGE-2 and ROUGE-L F1 between output and reference.

Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. Words as in
`kdeval.scorers.tokens`, with punctuation as a border between words and without stemming, so that
English texts score as other implementations score them without a stemmer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.scorers.tokens import accepted_texts, words

__all__ = ["Rouge1", "Rouge2", "RougeL", "longest_common_subsequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rouge(ABC):
    name: str

    @property
    def metric(self) -> Metric:
        """Mean F1."""
        return Metric(name=self.name)

    def score(self, sample: Sample, response: Response) -> Score:
        """F1 in [0, 1], the best over a list of references."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = words(str(response.output), apart=True)
        best = max(
            self._f1(output, words(text, apart=True)) for text in accepted_texts(sample.reference)
        )
        return Score(scorer=self.name, value=best)

    @abstractmethod
    def _f1(self, output: Sequence[str], reference: Sequence[str]) -> float:
        """F1 of one pair of word lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rouge1(_Rouge):
    """Overlap of single words."""

    name: str = "rouge1"

    def _f1(self, output: Sequence[str], reference: Sequence[str]) -> float:
        return _overlap(output, reference, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rouge2(_Rouge):
    """Overlap of pairs of neighbouring words; 0 where a side has a single word."""

    name: str = "rouge2"

    def _f1(self, output: Sequence[str], reference: Sequence[str]) -> float:
        return _overlap(output, reference, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RougeL(_Rouge):
    """Longest common subsequence of words, over the whole text."""

    name: str = "rougeL"

    def _f1(self, output: Sequence[str], reference: Sequence[str]) -> float:
        total = len(output) + len(reference)
        return 2 * longest_common_subsequence(output, reference) / total if total else 0.0


def longest_common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Its length, in time |left| x |right| / word size.

    One bit a word of `left`; Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    places: dict[str, int] = {}
    for index, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << index
    everything = (1 << len(left)) - 1
    row = everything
    for word in right:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & everything
    return len(left) - row.bit_count()


def _overlap(output: Sequence[str], reference: Sequence[str], size: int) -> float:
    left, right = _grams(output, size), _grams(reference, size)
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


def _grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(size)), strict=False))
