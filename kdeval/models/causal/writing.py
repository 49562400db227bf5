"""Texts to write, what was written, and who writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Job", "Writer", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One text to write.

    Attributes:
        prompt: token ids, at least one.
        uniform: a number in [0, 1) per token that may be written; their count is the limit.
        finished: whether the tokens so far, not counting an end token, are all that is wanted;
            asked after every token, so that only what the last one completed is news.
    """

    prompt: tuple[int, ...]
    uniform: Sequence[float]
    finished: Callable[[Sequence[int]], bool]


@dataclass(slots=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        tokens: token ids without an end token.
        log_probs: natural-log probability of each, and of the end token where there is one.
        ended: it came to an end, rather than to its limit.
        started_at: clock (`time.perf_counter`) when work on it began; before, it waited.
        first_at: clock at the first token.
        last_at: clock at the last.
    """

    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    ended: bool = False
    started_at: float = 0.0
    first_at: float = 0.0
    last_at: float = 0.0

    def add(self, token: int, log_prob: float, now: float, job: Job, ends: frozenset[int]) -> bool:
        """Notes one more token, one of `ends` or not; True when that was the last.

        Nothing that is worth reading follows logits that are not finite.
        """
        if not self.log_probs:
            self.first_at = now
        self.last_at = now
        self.log_probs.append(log_prob)
        if token in ends:
            self.ended = True
        else:
            self.tokens.append(token)
            self.ended = job.finished(self.tokens)
        full = len(self.log_probs) >= len(job.uniform)
        return self.ended or full or not math.isfinite(log_prob)


class Writer(Protocol):
    """Writes texts that do not depend on what is written beside them, up to rounding.

    Attributes:
        note: what is to be said of how it writes, or None.
    """

    note: str | None

    def write(self, jobs: Sequence[Job]) -> list[Written]:
        """One text each, in order."""
