"""From a sample to the request that a model sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kdeval.models.protocols import Request
from kdeval.records import Sample

__all__ = ["as_request", "in_batches"]


def in_batches(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    """The requests in their order, at most `size` at a time and of one kind."""
    batch: list[Request] = []
    for request in requests:
        if batch and (len(batch) >= size or batch[0].kind != request.kind):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def as_request(sample: Sample, replicate: int = 0) -> Request:
    """What a model may see of the sample: everything but the reference (see `_text_asked`)."""
    return Request(
        sample_id=sample.id,
        suite=sample.suite,
        kind=sample.kind,
        input=sample.input,
        labels=sample.labels or (),
        choices=_text_asked(sample) or sample.choices or (),
        replicate=replicate,
        image=sample.image,
        stop=sample.stop,
        max_new_tokens=sample.max_new_tokens,
        corpus=sample.corpus,
        tools=sample.tools,
        response_schema=sample.response_schema,
    )


def _text_asked(sample: Sample) -> tuple[str, ...]:
    """The text whose likelihood is asked: there the reference is no secret."""
    return (str(sample.reference),) if sample.kind == "likelihood" else ()
