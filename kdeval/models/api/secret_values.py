"""Taking the very keys that were sent out of what comes back."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

__all__ = ["SecretValues"]

REMOVED = "(removed)"
_SHORTEST = 8
_NAMES = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_ID)?(?:$|_)",
    re.IGNORECASE,
)


class SecretValues:
    """Values that must not be written, in each form that a server may give them back in.

    As they are, in JSON, in a URL, and in base64: alone, or inside of a longer text that was
    encoded as a whole, as in "Basic" authorization.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    @classmethod
    def of_environment(cls, named: str | None) -> SecretValues:
        """Those of the named variable, and of every variable that is called like a secret."""
        return cls(
            value for name, value in os.environ.items() if name == named or _NAMES.search(name)
        )

    @classmethod
    def of_variable(cls, named: str | None) -> SecretValues:
        """That of the named variable alone."""
        return cls([os.environ.get(named, "")] if named else [])

    def removed(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(REMOVED, text)


def _forms(value: str) -> set[str]:
    found = {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
    }
    raw = value.encode()
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode().rstrip("=")
            start = -(-offset * 8 // 6)
            end = (offset + len(raw)) * 8 // 6
            found.add(text[start:end])
    return {form for form in found if len(form) >= _SHORTEST}
