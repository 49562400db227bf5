"""Token sequences as a tree: what several of them begin with is kept, and computed, once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kdeval.models.causal.prompts import Split

__all__ = ["Group", "PackedTree", "common", "groups", "pack", "reading_order"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Splits that are computed after the same tokens.

    Attributes:
        header: tokens that all of them begin with, computed before and apart; may be empty.
        members: indices of the splits, in reading order.
        tokens: how many different tokens the members add to the header.
    """

    header: tuple[int, ...]
    members: tuple[int, ...]
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedTree:
    """The tokens of some splits after a common header, each shared beginning once, in preorder.

    Node i sees node j where j <= i < ends[j]; j is then an ancestor of i or i itself.

    Attributes:
        tokens: shape (n,).
        depths: number of ancestors of each node after the header, shape (n,).
        ends: one past the last node of each node's subtree, shape (n,).
        places: for every token that is scored, the node before it; -1 is the header's last token.
        targets: that token, shape as `places`.
        owners: whose it is, as a position in the group's members; shape as `places`.
    """

    tokens: IntArray
    depths: IntArray
    ends: IntArray
    places: IntArray
    targets: IntArray
    owners: IntArray


def reading_order(splits: Sequence[Split]) -> list[int]:
    """Indices of the splits, so sorted that those which begin alike are neighbours."""
    return sorted(range(len(splits)), key=lambda index: _whole(splits[index]))


def groups(splits: Sequence[Split], *, budget: int, least_header: int) -> Iterator[Group]:
    """All splits in groups of about `budget` tokens, in an order in which headers repeat.

    A beginning that more splits share than fit into one group becomes a header, when it is at
    least `least_header` tokens longer than the one before it. A split alone may exceed the budget.

    Args:
        splits: what is to be scored.
        budget: tokens of a group beside its header.
        least_header: shorter beginnings are computed again in each group: a pass of its own for
            a few tokens costs more.
    """
    if splits:
        ordered = _Ordered.from_splits(splits)
        yield from ordered.divided(0, len(splits), 0, budget, least_header)


def pack(splits: Sequence[Split], group: Group) -> PackedTree:
    """The group's tokens as one sequence, in which each sees its ancestors only."""
    start = len(group.header)
    tokens: list[int] = []
    depths: list[int] = []
    ends: list[int] = []
    path: list[int] = []
    before: tuple[int, ...] = ()
    places: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for owner, index in enumerate(group.members):
        split = splits[index]
        fed = _whole(split)[start:-1]
        same = common(before, fed) if owner else 0
        _close(path, same, ends, len(tokens))
        path += range(len(tokens), len(tokens) + len(fed) - same)
        tokens += fed[same:]
        depths += range(same, len(fed))
        ends += [0] * (len(fed) - same)
        first = len(split.context) - start - 1
        places += [path[place] if place >= 0 else -1 for place in range(first, len(fed))]
        targets += split.continuation
        owners += [owner] * len(split.continuation)
        before = fed
    _close(path, 0, ends, len(tokens))
    return PackedTree(**{
        name: np.asarray(values, dtype=np.int64)
        for name, values in (
            ("tokens", tokens), ("depths", depths), ("ends", ends),
            ("places", places), ("targets", targets), ("owners", owners),
        )
    })  # fmt: skip


def _close(path: list[int], depth: int, ends: list[int], end: int) -> None:
    """Ends the subtrees of the path's nodes from `depth` on."""
    for node in path[depth:]:
        ends[node] = end
    del path[depth:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """Splits in reading order.

    Attributes:
        order: indices of the splits.
        fed: the tokens that a model reads of each: the last is only scored.
        contexts: how many of them are context.
        shared: how many each has in common with the one before; 0 for the first.
    """

    order: Sequence[int]
    fed: Sequence[tuple[int, ...]]
    contexts: Sequence[int]
    shared: Sequence[int]

    @classmethod
    def from_splits(cls, splits: Sequence[Split]) -> _Ordered:
        order = reading_order(splits)
        fed = [_whole(splits[index])[:-1] for index in order]
        return cls(
            order=order,
            fed=fed,
            contexts=[len(splits[index].context) for index in order],
            shared=[0, *(common(a, b) for a, b in pairwise(fed))],
        )

    def divided(
        self, first: int, last: int, header: int, budget: int, least_header: int
    ) -> Iterator[Group]:
        """The groups of the splits from `first` to before `last`, which share a header."""
        if self._tokens(first, last, header) <= budget or last - first == 1:
            yield self._group(first, last, header)
            return
        common = min(self.shared[first + 1 : last])
        longest = min(common, *self.contexts[first:last])
        if longest - header >= least_header:
            header = longest
            if self._tokens(first, last, header) <= budget:
                yield self._group(first, last, header)
                return
        start, tokens = first, 0
        for begin, end in self._branches(first, last, common):
            size = self._tokens(begin, end, header)
            if begin > start and tokens + size > budget:
                yield self._group(start, begin, header)
                start, tokens = begin, 0
            if size > budget:
                yield from self.divided(begin, end, header, budget, least_header)
                start = end
            else:
                tokens += size
        if start < last:
            yield self._group(start, last, header)

    def _branches(self, first: int, last: int, common: int) -> Iterator[tuple[int, int]]:
        """Parts of the span that share no more than `common` tokens with each other."""
        cuts = [first, *(i for i in range(first + 1, last) if self.shared[i] == common), last]
        yield from pairwise(cuts)

    def _tokens(self, first: int, last: int, header: int) -> int:
        """How many different tokens the span adds to a header of that length."""
        added = (len(self.fed[i]) - max(self.shared[i], header) for i in range(first + 1, last))
        return len(self.fed[first]) - header + sum(added)

    def _group(self, first: int, last: int, header: int) -> Group:
        return Group(
            header=self.fed[first][:header],
            members=tuple(self.order[first:last]),
            tokens=self._tokens(first, last, header),
        )


def _whole(split: Split) -> tuple[int, ...]:
    return split.context + split.continuation


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the common beginning, by bisection over slices, which compare in C."""
    longest = min(len(one), len(other))
    if one[:longest] == other[:longest]:
        return longest
    return bisect_right(range(longest), False, key=lambda n: one[: n + 1] != other[: n + 1])
