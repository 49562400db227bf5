"""A response as JSON and back; what is absent is left out."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from kdeval.records import Response, Score, Timing, ToolCall
from kdeval.store.tool_calls import call_content

__all__ = ["decode_response", "encode_response"]

_FIELDS = tuple(field.name for field in fields(Response))
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=asdict)


def encode_response(response: Response) -> str:
    """One line of JSON."""
    body = {}
    for name in _FIELDS:
        value = getattr(response, name)
        if value is not None:
            body[name] = asdict(value) if isinstance(value, Timing) else value
    if response.tool_calls is not None:
        body["tool_calls"] = [call_content(call) for call in response.tool_calls]
    return _ENCODER.encode(body)


def decode_response(body: str) -> Response:
    """The response that `encode_response` wrote.

    Raises:
        ValueError, KeyError, TypeError: it is no JSON, or of a kdeval that knows other fields.
    """
    data: dict[str, Any] = json.loads(body)
    timing = data.pop("timing", None)
    for name in ("samples", "greedy"):
        if name in data:
            data[name] = tuple(data[name])
    if "marks" in data:
        data["marks"] = {name: _score(mark) for name, mark in data["marks"].items()}
    if "tool_calls" in data:
        data["tool_calls"] = tuple(ToolCall(**call) for call in data["tool_calls"])
    return Response(**data, timing=None if timing is None else Timing(**timing))


def _score(mark: dict[str, Any]) -> Score:
    statistics = mark.pop("statistics", None)
    return Score(**mark, statistics=None if statistics is None else tuple(statistics))
