"""A response as JSON and back; what is absent is left out."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from kdeval.records import Response, Timing

__all__ = ["decode_response", "encode_response"]

_FIELDS = tuple(field.name for field in fields(Response))
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=asdict)


def encode_response(response: Response) -> str:
    """One line of JSON."""
    body = {}
    for name in _FIELDS:
        value = getattr(response, name)
        if value is not None:
            body[name] = asdict(value) if is_dataclass(value) else value
    return _ENCODER.encode(body)


def decode_response(body: str) -> Response:
    """The response that `encode_response` wrote.

    Raises:
        ValueError, KeyError, TypeError: it is no JSON, or of a kdeval that knows other fields.
    """
    data: dict[str, Any] = json.loads(body)
    timing = data.pop("timing", None)
    if "samples" in data:
        data["samples"] = tuple(data["samples"])
    return Response(**data, timing=None if timing is None else Timing(**timing))
