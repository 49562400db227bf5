"""From a sample to the request a model sees, and to the key its response is stored under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from kdeval.models.protocols import Model, Request
from kdeval.records import Sample
from kdeval.store.predictions import response_key
from kdeval.store.tool_calls import message_content

__all__ = ["as_request", "in_batches", "possible_keys", "request_key"]

_WHERE_SAID = ("stop", "max_new_tokens", "tools", "response_schema", "raw", "rolling")
"""What is part of a key only where a request says it."""


def request_key(model: Model, fingerprint: str, request: Request) -> str:
    """The key that the model's response to the request is stored under.

    It covers what the model can see, so that samples that ask the same share a key. A model whose
    answers depend on the sample's id (`answers_by_id`) has the id in its keys too. Replicates have
    keys of their own, so that a repeat is never served an earlier answer.
    """
    by_id = bool(getattr(model, "answers_by_id", False))
    return response_key(fingerprint, _content(request, by_id), request.replicate)


def possible_keys(fingerprint: str, request: Request) -> tuple[str, str]:
    """The key by any model with the fingerprint: its answers depend on the id or not."""
    plain, by_id = (
        response_key(fingerprint, _content(request, by_id), request.replicate)
        for by_id in (False, True)
    )
    return plain, by_id


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


def _content(request: Request, by_id: bool) -> Mapping[str, Any]:
    content: dict[str, Any] = {
        "kind": request.kind,
        "input": (
            request.input
            if isinstance(request.input, str)
            else [message_content(message) for message in request.input]
        ),
    }
    if request.labels:
        content["labels"] = request.labels
    if request.choices:
        content["choices"] = request.choices
    if request.image is not None:
        content["image"] = request.image.sha256
    if request.corpus is not None:
        content["corpus"] = [request.corpus.sha256, request.corpus.depth]
    if request.decoding is not None:
        content["decoding"] = asdict(request.decoding)
    content |= {name: value for name in _WHERE_SAID if (value := getattr(request, name))}
    if by_id:
        content["id"] = [request.suite, request.sample_id]
    return content
