"""How long to wait before a request is sent again, and when to give it up."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential back-off with full jitter, which spreads clients best (Brooker 2015, AWS
    Architecture Blog, "Exponential Backoff And Jitter").

    Attributes:
        attempts: how often a request is sent at most.
        total_s: seconds from the first attempt, within which the last one begins.
        first_s: the longest first wait; it doubles with every attempt.
        longest_s: of a single wait.
    """

    attempts: int
    total_s: float
    first_s: float = 0.5
    longest_s: float = 60.0

    def wait_s(
        self, failed: int, elapsed_s: float, *, asked_s: float | None, rng: random.Random
    ) -> float | None:
        """Seconds to wait; None: give the request up.

        Args:
            failed: how many attempts have failed, at least 1.
            elapsed_s: since the first attempt began.
            asked_s: what the server asks to wait, where it does; a little jitter is put on top, so
                that clients that were told the same do not come back together.
            rng: of the jitter.
        """
        if failed >= self.attempts:
            return None
        if asked_s is None:
            wait = rng.uniform(0.0, min(self.longest_s, self.first_s * 2.0 ** (failed - 1)))
        else:
            wait = asked_s + rng.uniform(0.0, self.first_s)
        return wait if elapsed_s + wait <= self.total_s else None
