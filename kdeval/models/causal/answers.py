"""From written tokens to an answer: reasoning left out, cut at stop strings, voted on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "AnswerReader", "majority"]

_MARGIN = 8
"""Tokens before a stop string: its first may begin in the middle of a character or lose a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a text says.

    Attributes:
        text: without reasoning, up to the first stop string.
        stopped: a stop string was found.
        reasoning_tokens: tokens of the reasoning and of its tags; None where tags are not known.
    """

    text: str
    stopped: bool
    reasoning_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReader:
    """Reads what was written after one prompt.

    Reasoning lies between the tags. It is open from the start where the prompt ends with the
    opening tag, or where a closing tag comes first. An opened reasoning that is never closed goes
    on to the end, and stop strings do not count inside of it.

    Attributes:
        tokenizer: of the model.
        hidden: tokens that write nothing.
        tags: opening and closing tag, or None.
        stop: what the answer ends before.
        opened: the prompt ends with the opening tag.
        cleaned: spaces before punctuation go; None: where the tokenizer says so.
        stopping: hidden tokens that end the text all the same.
    """

    tokenizer: Any
    hidden: frozenset[int]
    tags: tuple[str, str] | None
    stop: tuple[str, ...]
    opened: bool = False
    cleaned: bool | None = False
    stopping: frozenset[int] = frozenset()

    def finished(self, tokens: Sequence[int]) -> bool:
        """Whether a stop string has come; asked after every token, it reads all of them only where
        the last ones hold one.
        """
        if tokens and tokens[-1] in self.stopping:
            return True
        if not self.stop or not self._cut(self._decode(self._last(tokens)))[1]:
            return False
        return self._cut(self._parts(self._decode(tokens))[0])[1]

    def _last(self, tokens: Sequence[int]) -> Sequence[int]:
        """As many tokens as the longest stop string may take, a byte each, and some before."""
        wanted = max(len(stop.encode("utf-8", "surrogatepass")) for stop in self.stop) + _MARGIN
        start = len(tokens)
        while start > 0 and wanted > 0:
            start -= 1
            wanted -= tokens[start] not in self.hidden
        return tokens[start:]

    def read(self, tokens: Sequence[int]) -> Answer:
        """The answer."""
        written = self._decode(tokens)
        text, spans = self._parts(written)
        text, stopped = self._cut(text)
        return Answer(
            text=text,
            stopped=stopped,
            reasoning_tokens=None
            if self.tags is None
            else sum(
                self._tokens_until(tokens, end) - self._tokens_until(tokens, start)
                for start, end in spans
            ),
        )

    def _parts(self, text: str) -> tuple[str, list[tuple[int, int]]]:
        """What is no reasoning, and where reasoning is."""
        if self.tags is None:
            return text, []
        opening, closing = self.tags
        first_open, first_close = text.find(opening), text.find(closing)
        inside = self.opened or (first_close >= 0 and not 0 <= first_open < first_close)
        spans: list[tuple[int, int]] = []
        kept: list[str] = []
        place = 0
        while True:
            if inside:
                end = text.find(closing, place)
                spans.append((place, len(text) if end < 0 else end + len(closing)))
                if end < 0:
                    break
                place = end + len(closing)
            start = text.find(opening, place)
            kept.append(text[place:] if start < 0 else text[place:start])
            if start < 0:
                break
            place, inside = start, True
        answer = "".join(kept)
        return (answer.lstrip() if spans else answer), spans

    def _cut(self, text: str) -> tuple[str, bool]:
        places = [place for place in (text.find(stop) for stop in self.stop) if place >= 0]
        return (text[: min(places)], True) if places else (text, False)

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(
            [token for token in tokens if token not in self.hidden],
            skip_special_tokens=False,
            clean_up_tokenization_spaces=self.cleaned,
        )
        return text

    def _tokens_until(self, tokens: Sequence[int], place: int) -> int:
        """How many tokens it takes to write the first `place` characters."""
        low, high = 0, len(tokens)
        while low < high:
            middle = (low + high) // 2
            if len(self._decode(tokens[:middle])) >= place:
                high = middle
            else:
                low = middle + 1
        return low


def majority(answers: Sequence[str], pattern: str | None) -> tuple[int, float]:
    """(index of the first answer that most agree with, their share).

    Answers agree when they are the same but for case and white space, or the same JSON value.

    Args:
        answers: at least one.
        pattern: regular expression of what is compared: its last match, or its first group where
            it has one; an answer without a match is compared as a whole.
    """
    keys = [_compared(answer, pattern) for answer in answers]
    key, count = Counter(keys).most_common(1)[0]
    return keys.index(key), count / len(keys)


def _compared(answer: str, pattern: str | None) -> str:
    if pattern is not None:
        matches = list(re.finditer(pattern, answer))
        if matches:
            last = matches[-1]
            answer = last[1] if last.re.groups and last[1] is not None else last[0]
    try:
        return "json " + json.dumps(json.loads(answer), sort_keys=True)
    except (ValueError, RecursionError):
        return "text " + " ".join(answer.casefold().split())
