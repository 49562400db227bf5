"""How long a server asks to wait, from the headers of its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["wait_seconds"]

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_KINDS = ("requests", "tokens")


def wait_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait, or None where the server does not say.

    In this order: `retry-after-ms`; `Retry-After` as seconds or as an HTTP date (RFC 9110, 10.2.3);
    the longest `x-ratelimit-reset-*` of a limit that has nothing remaining.

    Args:
        headers: of the answer, their names in any case.
        now: seconds since 1970.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = lower.get("retry-after")
    if given is not None:
        seconds = _number(given)
        return _until(given, now) if seconds is None else seconds
    resets = [
        _duration(lower.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in _KINDS
        if _number(lower.get(f"x-ratelimit-remaining-{kind}")) == 0
    ]
    return max((wait for wait in resets if wait is not None), default=None)


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _until(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


def _duration(text: str) -> float | None:
    """Seconds of "1s", "6m0s", "250ms" or a plain number."""
    plain = _number(text)
    if plain is not None:
        return plain
    parts = _PARTS.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
