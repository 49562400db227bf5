"""The key that a model's response to a request is stored under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kdeval.models.protocols import Model, Request
from kdeval.store.predictions import response_key
from kdeval.store.tool_calls import message_content

__all__ = ["possible_keys", "request_key"]

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
