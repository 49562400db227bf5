"""How many tokens a request has at most, and how many are likely."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["RequestSize"]

_FRAME = 64
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSize:
    """Tokens of one request.

    Attributes:
        most_read: tokens are made of bytes, so there are no more of them than bytes; and a frame
            for each message.
        most_written: the limit.
        likely: read and written together.
    """

    most_read: int
    most_written: int
    likely: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> RequestSize:
        """That of a request with those parameters, from `chat_parameters`."""
        asked = {
            name: parameters[name]
            for name in ("messages", "tools", "response_format")
            if name in parameters
        }
        size = len(json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        written = int(parameters["max_tokens"])
        return cls(
            most_read=size + _FRAME * len(parameters["messages"]),
            most_written=written,
            likely=size // _BYTES_PER_TOKEN + written // 2,
        )
