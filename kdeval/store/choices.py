"""Which choice a text means: an index, a letter from A, or the choice's own words.

Only the whole text counts, never a part of it, so that "10" is not read as 1; but a letter may
follow one of a closed list of lead-ins ("The answer is B"). Where two readings disagree ("A" may
be the first choice, or the choice whose text is "A") the text is ambiguous, and the form must be
said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

__all__ = ["ChoiceForm", "choice_readings", "looks_counted_from_1", "readings_text"]

ChoiceForm = Literal["auto", "index", "letter", "text"]

_INDEX = re.compile(r"[0-9]{1,6}")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]{0,2}")
_LEAD_IN = re.compile(
    r"(?:(?:(?:the|my)\s+)?(?:(?:correct|right|best|final)\s+)?(?:answer|option|choice)"
    r"(?:\s+is\b\s*:?|\s*:)|option\b|choice\b)\s*",
    re.IGNORECASE,
)
_LETTER_AND_TEXT = re.compile(r"[(\[]?([A-Za-z])(?:[)\]][.:]?|[.:])\s+(\S.*)", re.DOTALL)


def choice_readings(
    text: str, choices: Sequence[str], *, form: ChoiceForm = "auto", first_index: int = 0
) -> dict[int, str]:
    """Indices of `choices` that `text` may mean, each with the form that reads it so.

    Empty: it names no choice. More than one entry: it is ambiguous. Readings are "2" (index),
    "B", "b", "(B)", "B.", "B:", "**B**" (letter), "B. Paris" (letter with that choice's text) and
    "Paris" (text; case, white space and Unicode composition forgiven). A letter may follow
    "[the|my] [correct|right|best|final] answer|option|choice" with "is" or a colon, or "option"
    or "choice" alone.

    Args:
        text: what was answered, or given as the reference.
        choices: the choices in order.
        form: the only reading to try, when it is known.
        first_index: what the first choice is called where digits are an index. The indices that
            are returned count from 0 whatever it is.
    """
    text = text.strip()
    found: dict[int, str] = {}
    if form in ("auto", "index") and _INDEX.fullmatch(text):
        _add(found, int(text) - first_index, "index", choices)
    if form in ("auto", "letter"):
        _read_letter(found, text, choices)
    if form in ("auto", "text"):
        wanted = _normalised(text)
        for index, choice in enumerate(choices):
            if _normalised(choice) == wanted:
                _add(found, index, "text", choices)
    return found


def readings_text(readings: dict[int, str]) -> str:
    """The readings in words, for an error message."""
    return " or ".join(f"choice {index} by its {form}" for index, form in readings.items())


def looks_counted_from_1(text: str, choices: Sequence[str]) -> bool:
    """True for digits that are no index from 0, but the last choice's when counting from 1."""
    return text.strip() == str(len(choices)) and not choice_readings(text, choices)


def _read_letter(found: dict[int, str], text: str, choices: Sequence[str]) -> None:
    text = text.strip("*")
    lead_in = _LEAD_IN.match(text)
    text = text[lead_in.end() :].strip("*") if lead_in else text
    letter = _LETTER.fullmatch(text)
    if letter:
        _add(found, ord(letter[1].upper()) - ord("A"), "letter", choices)
        return
    both = _LETTER_AND_TEXT.fullmatch(text)
    if both:
        index = ord(both[1].upper()) - ord("A")
        if index < len(choices) and _normalised(both[2]) == _normalised(choices[index]):
            _add(found, index, "letter", choices)


def _add(found: dict[int, str], index: int, form: str, choices: Sequence[str]) -> None:
    if 0 <= index < len(choices):
        found.setdefault(index, form)


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
