"""In which order a model is asked, and how much at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from kdeval.models.protocols import Model, Request
from kdeval.records import Kind
from kdeval.run.requests import in_batches

__all__ = ["batches_of", "place_in_order"]

_SCORED: frozenset[Kind] = frozenset({"loglikelihood", "multiple_choice"})
_WRITTEN: frozenset[Kind] = frozenset({"generation", "extraction"})


def place_in_order(request: Request) -> tuple[str, int, str]:
    """What requests are sorted by: their kind, then length, the longest first.

    So memory runs out early or never. Where continuations are scored, prompts that begin alike
    are neighbours instead, so that a model computes what they share once.
    """
    length = 0 if request.kind in _SCORED else -len(request.text)
    return request.kind, length, request.text


def batches_of(model: Model, requests: Iterable[Request]) -> Iterator[list[Request]]:
    """The requests in their order, as many at a time as the model likes of their kind."""
    for kind, group in groupby(requests, key=lambda request: request.kind):
        yield from in_batches(group, _batch_size(model, kind))


def _batch_size(model: Model, kind: Kind) -> int:
    usual = int(getattr(model, "batch_size", 32))
    if kind in _SCORED:
        return int(getattr(model, "scoring_batch_size", usual))
    return int(getattr(model, "writing_batch_size", usual)) if kind in _WRITTEN else usual
