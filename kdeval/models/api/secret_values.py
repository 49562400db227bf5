"""Taking the very keys that were sent out of what comes back."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

__all__ = ["SecretValues", "key_problem"]

REMOVED = "(removed)"
_SHORTEST = 8
_DIGIT = re.compile(r"\d")
_NAMES = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_ID)?(?:$|_)",
    re.IGNORECASE,
)


class SecretValues:
    """Values that must not be written, in each form that a server may give them back in.

    As they are, in JSON, in a URL, and in base64: alone, or inside of a longer text that was
    encoded as a whole, as in "Basic" authorization.
    """

    def __init__(self, values: Iterable[str], *, key: str = "") -> None:
        """Takes what must not be written.

        Args:
            values: each is removed as a whole.
            key: of it every run of 8 characters is removed, as a server echoes that masks the rest;
                not a run in small letters without a digit, which may be a word.
        """
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
        )
        self._key_runs = _runs(key)

    @classmethod
    def of_environment(cls, named: str | None) -> SecretValues:
        """Those of the named variable, and of every variable that is called like a secret."""
        return cls(
            (value for name, value in os.environ.items() if name == named or _NAMES.search(name)),
            key=os.environ.get(named, "") if named else "",
        )

    @classmethod
    def of_variable(cls, named: str | None) -> SecretValues:
        """That of the named variable alone."""
        value = os.environ.get(named, "") if named else ""
        return cls([value], key=value)

    def removed(self, text: str) -> str:
        """The text without them."""
        if self._pattern is not None:
            text = self._pattern.sub(REMOVED, text)
        return self._without_runs(text) if self._key_runs else text

    def _without_runs(self, text: str) -> str:
        low = text.lower()
        if len(low) != len(text):  # a letter whose small form is longer
            low = "".join(letter if letter.isascii() else "\0" for letter in text).lower()
        kept: list[str] = []
        end = 0
        for place in range(len(low) - _SHORTEST + 1):
            if low[place : place + _SHORTEST] in self._key_runs:
                if place > end or not kept:
                    kept += [text[end:place], REMOVED]
                end = place + _SHORTEST
        return "".join([*kept, text[end:]])


def key_problem(key: str | None) -> str | None:
    """Why it cannot be sent as a key, without showing it; None: it can."""
    if not key:
        return "is not set"
    if "\n" in key or "\r" in key:
        return "holds a line break; a key is one line"
    if key != key.strip():
        return "begins or ends with white space"
    if not key.isascii() or not key.isprintable():
        return "holds characters that no key has (not printable ASCII)"
    return None


def _runs(value: str) -> set[str]:
    """The pieces of `_SHORTEST` characters in small letters, but those that may be a plain word."""
    pieces = (value[start : start + _SHORTEST] for start in range(len(value) - _SHORTEST + 1))
    return {piece.lower() for piece in pieces if piece != piece.lower() or _DIGIT.search(piece)}


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
