"""What is spent, and what may still be: reserved before a request is sent, settled after it."""

from __future__ import annotations

import asyncio

from kdeval.errors import BudgetError

__all__ = ["Budget"]


class Budget:
    """The money of one model; to be used from one event loop.

    Attributes:
        cap_usd: what may be spent; None: as much as it takes.
        account: what the sum is noted under, between one command and the next.
        earlier_usd: what earlier commands spent.
        recalled: `earlier_usd` was read from where it was noted.
        paid_usd: what was paid for answers since.
        unclear_usd: the most that may have been paid for requests without an answer, or whose
            tokens the API did not count; it counts as spent.
    """

    def __init__(self, name: str, account: str, cap_usd: float | None) -> None:
        self.name = name
        self.account = account
        self.cap_usd = cap_usd
        self.earlier_usd = 0.0
        self.recalled = False
        self.paid_usd = 0.0
        self.unclear_usd = 0.0
        self._reserved = 0.0
        self._settled = asyncio.Event()

    @property
    def spent_usd(self) -> float:
        """All that counts against the cap."""
        return self.earlier_usd + self.paid_usd + self.unclear_usd

    async def reserve(self, most_usd: float | None) -> None:
        """Returns once that much may be spent.

        Where requests in the air may turn out cheaper than was reserved for them, it waits for
        them.

        Raises:
            BudgetError: it may not.
        """
        if self.cap_usd is None or most_usd is None:
            return
        while self.spent_usd + self._reserved + most_usd > self.cap_usd:
            if self._reserved <= 0:
                raise BudgetError(self._reached(most_usd))
            self._settled.clear()
            await self._settled.wait()
        self._reserved += most_usd

    def settle(self, most_usd: float | None, paid_usd: float | None, *, billed: bool) -> None:
        """Puts what a request cost in the place of what was reserved for it.

        Args:
            most_usd: what `reserve` was given.
            paid_usd: what it cost; None: not known.
            billed: it may have cost something.
        """
        if self.cap_usd is not None and most_usd is not None:
            self._reserved = max(0.0, self._reserved - most_usd)
            if self._reserved < 1e-12:
                self._reserved = 0.0
        if paid_usd is not None:
            self.paid_usd += paid_usd
        elif billed and most_usd is not None:
            self.unclear_usd += most_usd
        self._settled.set()

    def _reached(self, most_usd: float) -> str:
        unclear = (
            f", of it up to ${self.unclear_usd:.4f} for requests whose answer was lost"
            if self.unclear_usd
            else ""
        )
        return (
            f"{self.name}: budget_usd of ${self.cap_usd:g} would be passed: ${self.spent_usd:.4f} "
            f"is spent{unclear}, and the next request may cost ${most_usd:.4f}"
        )
