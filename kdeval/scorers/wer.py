"""Word error rate: words to change, insert and delete over words of the references."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from kdeval.records import Metric, Response, Sample, Score
from kdeval.scorers.protocol import unmarked
from kdeval.scorers.tokens import accepted_texts, words

__all__ = ["WordErrorRate", "edit_distance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrorRate:
    """Edits over reference words, of the whole set: long references weigh more. Lower is better.

    Attributes:
        normalize: compare words without case and punctuation; False: what white space separates,
            as it stands.
    """

    name: str = "wer"
    normalize: bool = True

    @property
    def metric(self) -> Metric:
        """From 0, without a largest value: a long output can hold more errors than words."""
        return Metric(
            name=self.name, higher_is_better=False, high=None, aggregation="ratio_of_sums"
        )

    def score(self, sample: Sample, response: Response) -> Score:
        """The sample's own rate, by the closest of a list of references."""
        missing = unmarked(self.metric, sample, response)
        if missing is not None:
            return missing
        output = self._words(str(response.output))
        found = []
        for text in accepted_texts(sample.reference):
            reference = self._words(text)
            found.append((edit_distance(output, reference), len(reference)))
        edits, length = min(found, key=lambda pair: (pair[0] / max(pair[1], 1), pair[0]))
        return Score(
            scorer=self.name,
            value=edits / max(length, 1),
            statistics=(float(edits), float(length)),
        )

    def _words(self, text: str) -> list[str]:
        return words(text) if self.normalize else text.split()


def edit_distance(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Least number of items to change, insert or delete to make `left` from `right`.

    One bit an item of `left`; Hyyrö, "A bit-vector algorithm for computing Levenshtein and
    Damerau edit distances", 2003.
    """
    if not left:
        return len(right)
    places: dict[Hashable, int] = {}
    for index, item in enumerate(left):
        places[item] = places.get(item, 0) | 1 << index
    everything, last = (1 << len(left)) - 1, 1 << (len(left) - 1)
    distance, up, down = len(left), everything, 0
    for item in right:
        equal = places.get(item, 0)
        same = ((((equal & up) + up) ^ up) | equal | down) & everything
        more = down | (~(same | up) & everything)
        less = same & up
        distance += bool(more & last) - bool(less & last)
        more = ((more << 1) | 1) & everything
        up = ((less << 1) & everything) | (~(same | more) & everything)
        down = more & same
    return distance
