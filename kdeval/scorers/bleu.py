"""Corpus BLEU as sacreBLEU counts it: clipped n-grams up to four words, 13a tokens."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.scorers.tokens import accepted_texts

__all__ = ["Bleu", "bleu_statistics", "tokens_13a"]

_ORDERS = 4
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_SPLITS = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleu:
    """BLEU of the whole set, from 0 to 100: n-gram matches are summed before they are divided.

    Attributes:
        lowercase: compare without case.
        tokenize: "13a" splits punctuation off, as WMT does; "char" takes each character, for
            texts without spaces; "none" takes what white space separates.
    """

    name: str = "bleu"
    lowercase: bool = False
    tokenize: Literal["13a", "char", "none"] = "13a"

    @property
    def metric(self) -> Metric:
        """From 0 to 100."""
        return Metric(name=self.name, high=100.0, aggregation="bleu")

    def score(self, sample: Sample, response: Response) -> Score:
        """The sample's own BLEU, smoothed, and its counts."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = self._tokens(str(response.output))
        references = [self._tokens(text) for text in accepted_texts(sample.reference)]
        counts = bleu_statistics(output, references)
        return Score(
            scorer=self.name, value=_sentence_bleu(counts), statistics=tuple(map(float, counts))
        )

    def _tokens(self, text: str) -> list[str]:
        text = text.casefold() if self.lowercase else text
        if self.tokenize == "13a":
            return tokens_13a(text)
        return list("".join(text.split())) if self.tokenize == "char" else text.split()


def tokens_13a(text: str) -> list[str]:
    """Tokens as the mteval-v13a script and sacreBLEU's default make them."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in _SPLITS:
        text = pattern.sub(replacement, text)
    return text.split()


def bleu_statistics(output: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Clipped matches and totals of 1- to 4-grams, length of the output, and of the reference
    whose length is closest to it (the shorter of two).
    """
    matches, totals = [], []
    for size in range(1, _ORDERS + 1):
        grams, allowed = _grams(output, size), Counter[tuple[str, ...]]()
        for reference in references:
            allowed |= _grams(reference, size)
        matches.append((grams & allowed).total())
        totals.append(grams.total())
    length = min(map(len, references), key=lambda size: (abs(size - len(output)), size))
    return (*matches, *totals, len(output), length)


def _grams(tokens: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(size)), strict=False))


def _sentence_bleu(counts: Sequence[int]) -> float:
    """BLEU of one sample over the orders it is long enough for, orders without a match smoothed.

    Chen & Cherry, "A Systematic Comparison of Smoothing Techniques", 2014, technique 3.
    """
    matches, totals = counts[:_ORDERS], [total for total in counts[_ORDERS:8] if total]
    output, reference = counts[8:]
    if not any(matches):
        return 0.0
    smooth, logs = 1.0, 0.0
    for match, total in zip(matches, totals, strict=False):
        if match == 0:
            smooth *= 2
        logs += math.log((match or 1 / smooth) / total)
    brevity = min(0.0, 1 - reference / output)
    return min(100.0, 100 * math.exp(logs / len(totals) + brevity))
