"""Taking what looks like a secret out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["is_secret_name", "redacted", "without_secrets"]

REMOVED = "(removed)"
_NAME = re.compile(
    r"key|token(?!s|izer|_)|secret|passw|pwd|credential|authorization|cookie|bearer", re.IGNORECASE
)
_FORM = re.compile(
    r"\b(?:sk|pk|rk|hf|ghp|gho|xox[abp]|glpat|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_ASSIGNED = re.compile(
    r"(?P<name>\b(?:[\w-]*[-_])?(?:key|apikey|token|secret|password|passwd|pwd|authorization|"
    r"cookie)[\"']?\s*[=:]\s*(?:bearer\s+|basic\s+)?)(?P<value>[^\s&,;\"')]+|\"[^\"]*\"|'[^']*')",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)(?P<value>[A-Za-z0-9._~+/=-]{6,})", re.I)


def is_secret_name(name: str) -> bool:
    """Whether a setting of that name holds a secret."""
    return _NAME.search(name) is not None


def redacted(text: str) -> str:
    """`text` without keys, tokens and passwords, by their form or by the name before them."""
    text = _FORM.sub(REMOVED, text)
    for pattern in (_ASSIGNED, _BEARER):
        text = pattern.sub(lambda found: found["name"] + REMOVED, text)
    return text


def without_secrets(value: Any, name: str = "") -> Any:
    """The same structure with what looks like a secret, by its name or by its form, removed."""
    if isinstance(value, Mapping):
        return {key: without_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, name) for item in value]
    if isinstance(value, str):
        return REMOVED if is_secret_name(name) else redacted(value)
    return value
