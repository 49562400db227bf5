"""How two texts differ, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

__all__ = ["Run", "marked"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 600
_ALIKE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A stretch of text: in both, only in the text shown, or only in the one compared with."""

    text: str
    kind: Literal["same", "extra", "missing"]


def marked(text: str, against: str | None) -> tuple[Run, ...]:
    """`text` in runs, with what it lacks of `against` in between.

    Texts with little in common are not taken apart: all of `text` is then extra. Long texts are
    compared up to their 600th word, and the rest is shown unmarked.
    """
    if against is None or text == against:
        return (Run(text=text, kind="same"),)
    words, other = _WORDS.findall(text), _WORDS.findall(against)
    rest = "".join(words[_MOST_WORDS:])
    words, other = words[:_MOST_WORDS], other[:_MOST_WORDS]
    matcher = SequenceMatcher(None, other, words, autojunk=False)
    if matcher.ratio() < _ALIKE:
        runs = [Run(text="".join(words), kind="extra")]
    else:
        runs = _runs(matcher, other, words)
    if rest:
        runs.append(Run(text=rest, kind="same"))
    return tuple(run for run in runs if run.text)


def _runs(matcher: SequenceMatcher[str], other: list[str], words: list[str]) -> list[Run]:
    runs = []
    for step, a, b, c, d in matcher.get_opcodes():
        if step == "equal":
            runs.append(Run(text="".join(words[c:d]), kind="same"))
            continue
        runs.append(Run(text="".join(other[a:b]), kind="missing"))
        runs.append(Run(text="".join(words[c:d]), kind="extra"))
    return runs
