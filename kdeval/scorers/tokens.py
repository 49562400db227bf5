"""Texts to words, for the scorers that compare words; the same for every language.

Words are what white space separates once punctuation and symbols (Unicode categories P and S)
are gone. Scripts that put no space between words (Chinese, Japanese kana, Thai, Lao, Khmer,
Burmese) count each character, with its combining marks, as a word. Case never counts.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

__all__ = ["accepted_texts", "without_punctuation", "words"]

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


def words(text: str, *, apart: bool = False) -> list[str]:
    """The words of `text`, composed (NFC) and without case.

    Args:
        text: any text.
        apart: punctuation inside a word splits it ("well-known" is two words) instead of
            vanishing ("wellknown").
    """
    text = without_punctuation(unicodedata.normalize("NFC", text).casefold(), apart=apart)
    return _joined_marks(_WORD.findall(text))


def without_punctuation(text: str, *, apart: bool = False) -> str:
    """The text without punctuation marks and symbols; `apart` leaves a space for each."""
    return text.translate(_SPACED if apart else _REMOVED)


def accepted_texts(reference: Any) -> list[str]:
    """The texts that a reference accepts: every item of a list, or the reference itself."""
    items = reference if isinstance(reference, (list, tuple)) and reference else [reference]
    return [
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str)
        for item in items
    ]


class _Punctuation(dict[int, str | int]):
    """A table for str.translate that looks each character's category up once."""

    def __init__(self, replacement: str) -> None:
        self.replacement = replacement

    def __missing__(self, point: int) -> str | int:
        mark = unicodedata.category(chr(point))[0] in "PS"
        self[point] = self.replacement if mark else point
        return self[point]


_REMOVED = _Punctuation("")
_SPACED = _Punctuation(" ")


def _joined_marks(found: list[str]) -> list[str]:
    """Combining marks put back on the character before them, where that was split off."""
    joined: list[str] = []
    for word in found:
        if joined and unicodedata.category(word[0])[0] == "M":
            joined[-1] += word
        else:
            joined.append(word)
    return joined
