"""Requests as they lie one after the other: made from samples when they are needed."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from itertools import accumulate, chain
from typing import overload

import numpy as np
from numpy.typing import NDArray

from kdeval.models.protocols import Model, Request
from kdeval.models.request_keys import request_key
from kdeval.records import Sample
from kdeval.run.batches import place_in_order
from kdeval.run.keys import Keys
from kdeval.run.requests import as_request

__all__ = [
    "Pending", "Questions", "SampleRequests", "keys_of_models", "pending_places", "request_keys",
]  # fmt: skip

Places = NDArray[np.int64]
_CHUNK = 1_000


class SampleRequests(Sequence[Request]):
    """One request a sample, in order, made whenever it is looked at."""

    def __init__(self, samples: Sequence[Sample], replicate: int = 0) -> None:
        self._samples = samples
        self._replicate = replicate

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Request: ...
    @overload
    def __getitem__(self, index: slice) -> list[Request]: ...
    def __getitem__(self, index: int | slice) -> Request | list[Request]:
        if isinstance(index, slice):
            return [as_request(sample, self._replicate) for sample in self._samples[index]]
        return as_request(self._samples[index], self._replicate)

    def __iter__(self) -> Iterator[Request]:
        return (as_request(sample, self._replicate) for sample in self._samples)


class Questions(Sequence[Request]):
    """Requests of several parts (suites, or lm-eval's tasks) under places that run through."""

    def __init__(self, parts: Sequence[Sequence[Request]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts), initial=0))

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[Request]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, index: int) -> Request: ...
    @overload
    def __getitem__(self, index: slice) -> list[Request]: ...
    def __getitem__(self, index: int | slice) -> Request | list[Request]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        part = bisect_right(self._ends, place) - 1
        return self._parts[part][place - self._ends[part]]

    @cached_property
    def ranks(self) -> Places:
        """Of each place, where `place_in_order` puts it; equal for what it cannot tell apart.

        Sorted on disk, since the order needs the texts, and those may not fit in memory.
        """
        ranks = np.zeros(len(self), np.int64)
        with closing(sqlite3.connect("")) as table:
            table.execute(
                "CREATE TABLE asked (place INTEGER, kind TEXT, length INTEGER, text BLOB)"
            )
            table.executemany("INSERT INTO asked VALUES (?, ?, ?, ?)", self._in_order_rows())
            sort = "SELECT place, dense_rank() OVER (ORDER BY kind, length, text) FROM asked"
            for place, rank in table.execute(sort):
                ranks[place] = rank
        return ranks

    def _in_order_rows(self) -> Iterator[tuple[int, str, int, bytes]]:
        for place, request in enumerate(self):
            kind, length, text = place_in_order(request)
            yield place, kind, length, text.encode("utf-8", "surrogatepass")


def request_keys(model: Model, fingerprint: str, requests: Iterable[Request]) -> Keys:
    """The model's key of each of the requests."""
    return Keys(request_key(model, fingerprint, request) for request in requests)


def keys_of_models(
    models: Mapping[str, tuple[Model, str]], requests: Sequence[Request]
) -> dict[str, Keys]:
    """Each model's keys of the requests, which are gone through once.

    Args:
        models: name to the model and the fingerprint that its answers are stored under.
        requests: in order.
    """
    found: dict[str, list[Keys]] = {name: [] for name in models}
    for start in range(0, len(requests), _CHUNK):
        chunk = requests[start : start + _CHUNK]
        for name, (model, fingerprint) in models.items():
            found[name].append(request_keys(model, fingerprint, chunk))
    return {name: Keys.joined(parts) for name, parts in found.items()}


def pending_places(
    questions: Questions, keys: Keys, known: NDArray[np.bool_], *, by_id: bool
) -> Places:
    """Places of the requests to ask, in the order to ask them in; one place a key.

    Args:
        questions: what is asked.
        keys: of each of them.
        known: whether there is an answer, for each of them.
        by_id: the order of the requests is kept, as for models that look answers up.
    """
    places = np.flatnonzero(~known)
    if by_id or not len(places):
        return places
    digests, starts = keys.digests, keys.starts[places]
    order = np.lexsort((starts, questions.ranks[places]))
    places, starts = places[order], starts[order]
    again = np.flatnonzero(starts[1:] == starts[:-1])
    again = again[(digests[places[again]] == digests[places[again + 1]]).all(axis=1)]
    return np.delete(places, again)


class Pending:
    """Requests that are about to be asked, with the key of each one that is under way."""

    def __init__(self, questions: Questions, keys: Keys, places: Places) -> None:
        self.keys = keys.at(places)
        self._questions = questions
        self._places = places
        self._under_way: dict[int, tuple[str, Request]] = {}

    def requests(self) -> Iterator[Request]:
        """One after the other, made when it is its turn."""
        for place, key in zip(self._places, self.keys, strict=True):
            request = self._questions[int(place)]
            self._under_way[id(request)] = key, request
            yield request

    def taken(self, request: Request) -> str:
        """The key of a request that was answered; the request is forgotten."""
        key, _ = self._under_way.pop(id(request))
        return key
