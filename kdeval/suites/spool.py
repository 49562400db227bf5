"""Samples on disk, so that a suite's size is not bounded by memory."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from threading import Lock
from typing import Any, overload

from kdeval.records import Sample

__all__ = ["SpooledSamples", "spooled"]

_IN_MEMORY = 2_000
_CHUNK = 256
_OFFERS = 1_000
_OF_SUITE = ("suite", "kind", "labels", "max_new_tokens", "corpus")


def spooled(samples: Iterable[Sample], in_memory: int = _IN_MEMORY) -> Sequence[Sample]:
    """The samples: a tuple of up to `in_memory`, more of them on disk."""
    if isinstance(samples, (tuple, SpooledSamples)) and len(samples) <= in_memory:
        return samples
    if isinstance(samples, SpooledSamples):
        return samples
    samples = iter(samples)
    first = tuple(islice(samples, in_memory + 1))
    return first if len(first) <= in_memory else SpooledSamples(chain(first, samples))


class SpooledSamples(Sequence[Sample]):
    """Samples in a temporary file, which is gone with the object; memory holds 8 bytes of each.

    What all samples of a suite share (labels, corpus) is kept in memory once, and so are the
    commonest tools and response schemas. An element is read when it is asked for, a slice is a
    tuple, and going through them reads a few hundred at a time.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._file = tempfile.TemporaryFile(prefix="kdeval-samples-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._lock = Lock()
        self._ends = array("Q", [0])
        self._of_suite: list[dict[str, Any]] = []
        self._offers: dict[tuple[Any, ...], int] = {}
        self._write(samples)
        self._known_offers = list(self._offers)

    def _write(self, samples: Iterable[Sample]) -> None:
        end = 0
        for sample in samples:
            row = pickle.dumps(self._row(sample), pickle.HIGHEST_PROTOCOL)
            self._file.write(row)
            end += len(row)
            self._ends.append(end)
        self._file.flush()

    def _row(self, sample: Sample) -> tuple[Any, ...]:
        return (
            self._place_of_suite(sample), self._place_of_offer(sample), sample.id, sample.task,
            sample.input, sample.reference, sample.choices, sample.slices, sample.cluster,
            sample.source, sample.content_hash, sample.image,
        )  # fmt: skip

    def _place_of_suite(self, sample: Sample) -> int:
        for place, known in enumerate(self._of_suite):
            if sample.corpus is known["corpus"] and all(
                getattr(sample, name) == known[name] for name in _OF_SUITE[:-1]
            ):
                return place
        self._of_suite.append({name: getattr(sample, name) for name in _OF_SUITE})
        return len(self._of_suite) - 1

    def _place_of_offer(self, sample: Sample) -> int | tuple[Any, ...]:
        """Where its stops, tools and schema are kept; they themselves once too many are."""
        offer = (sample.stop, sample.tools, sample.response_schema)
        place = self._offers.get(offer)
        if place is None and len(self._offers) < _OFFERS:
            place = self._offers[offer] = len(self._offers)
        return offer if place is None else place

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...
    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return tuple(self._read(start, max(start, stop)))
            return tuple(self[place] for place in range(start, stop, step))
        place = range(len(self))[index]
        return self._sample(*pickle.loads(self._bytes(self._ends[place], self._ends[place + 1])))

    def __iter__(self) -> Iterator[Sample]:
        for start in range(0, len(self), _CHUNK):
            yield from self._read(start, min(start + _CHUNK, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return SpooledSamples, (tuple(self),)

    def _read(self, start: int, stop: int) -> Iterator[Sample]:
        first = self._ends[start]
        block = memoryview(self._bytes(first, self._ends[stop]))
        for place in range(start, stop):
            row = block[self._ends[place] - first : self._ends[place + 1] - first]
            yield self._sample(*pickle.loads(row))

    def _bytes(self, start: int, stop: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(stop - start)

    def _sample(self, of_suite: int, offer: int | tuple[Any, ...], *own: Any) -> Sample:
        stop, tools, schema = self._known_offers[offer] if isinstance(offer, int) else offer
        name, task, asked, reference, choices, slices, cluster, source, content, image = own
        return Sample(
            id=name, task=task, input=asked, reference=reference, choices=choices, slices=slices,
            cluster=cluster, source=source, content_hash=content, image=image, stop=stop,
            tools=tools, response_schema=schema, **self._of_suite[of_suite],
        )  # fmt: skip
