"""What is spent, and what may still be: reserved before a request is sent, settled after it."""

from __future__ import annotations

import asyncio
import threading

from kdeval.errors import BudgetError
from kdeval.store.spending import SpendingBook, Spent

__all__ = ["Budget"]

_ROUNDING = 1e-9
"""Of sums: three times 0.1 dollars are within a budget of 0.3."""


class Budget:
    """The money of one model; reserved and settled from one event loop, noted from any thread.

    What may have been paid without anybody knowing counts as spent, with the most it can be.

    Attributes:
        cap_usd: what may be spent; None: as much as it takes.
        account: what the sums are noted under, between one command and the next.
        earlier_usd: what earlier commands paid.
        earlier_unclear_usd: the most that they may have paid beside it, for requests that were in
            the air when they were stopped, too.
        paid_usd: what was paid for answers since.
        lost_usd: the most that may have been paid for requests without an answer.
        uncounted_usd: the most that may have been paid for answers without a token count.
    """

    def __init__(self, name: str, account: str, cap_usd: float | None) -> None:
        self.name = name
        self.account = account
        self.cap_usd = cap_usd
        self.earlier_usd = 0.0
        self.earlier_unclear_usd = 0.0
        self.paid_usd = 0.0
        self.lost_usd = 0.0
        self.uncounted_usd = 0.0
        self._reserved = 0.0
        self._book: SpendingBook | None = None
        self._noted = Spent()
        self._recalled = False
        self._lock = threading.Lock()
        self._settled = asyncio.Event()

    @property
    def unclear_usd(self) -> float:
        """The most that may have been paid beside what was."""
        return self.earlier_unclear_usd + self.lost_usd + self.uncounted_usd

    @property
    def spent_usd(self) -> float:
        """All that counts against the cap."""
        return self.earlier_usd + self.paid_usd + self.unclear_usd

    def keep_in(self, book: SpendingBook) -> None:
        """Notes everything there from now on; the first time, what earlier commands spent counts.

        Where there is a cap, money is noted before it may be spent: a command that is killed leaves
        what was in the air.
        """
        self._book = book
        self._noted = earlier = book.read(self.account)
        if not self._recalled:
            self.earlier_usd, self.earlier_unclear_usd = earlier.paid_usd, earlier.unclear_usd
            self._recalled = True

    def note(self) -> None:
        """Writes down what is spent, and what is reserved as what may be."""
        with self._lock:
            self._note()

    def _note(self) -> None:
        spent = Spent(
            paid_usd=self.earlier_usd + self.paid_usd,
            unclear_usd=self.unclear_usd + self._reserved,
        )
        if self._book is not None and spent != self._noted:
            self._book.note({self.account: spent})
            self._noted = spent

    async def reserve(self, most_usd: float | None, because: str = "") -> None:
        """Returns once that much may be spent, and is noted where it is kept.

        Where requests in the air may turn out cheaper than was reserved for them, it waits for
        them.

        Args:
            most_usd: what the request may cost; None: not known.
            because: what that comes from, for the message.

        Raises:
            BudgetError: it may not.
            StoreError: it cannot be noted.
        """
        if self.cap_usd is None or most_usd is None:
            return
        cap = self.cap_usd * (1 + _ROUNDING)
        while self.spent_usd + self._reserved + most_usd > cap:
            if self._reserved <= 0:
                raise BudgetError(self._reached(most_usd, because))
            self._settled.clear()
            await self._settled.wait()
        with self._lock:
            self._reserved += most_usd
            try:
                self._note()
            except BaseException:
                self._release(most_usd)
                raise

    def settle(
        self,
        most_usd: float | None,
        paid_usd: float | None,
        *,
        billed: bool,
        answered: bool = False,
    ) -> None:
        """Puts what a request cost in the place of what was reserved for it.

        Args:
            most_usd: what `reserve` was given.
            paid_usd: what it cost; None: not known.
            billed: it may have cost something.
            answered: there is an answer.
        """
        with self._lock:
            if self.cap_usd is not None and most_usd is not None:
                self._release(most_usd)
            if paid_usd is not None:
                self.paid_usd += paid_usd
            elif billed and most_usd is not None and answered:
                self.uncounted_usd += most_usd
            elif billed and most_usd is not None:
                self.lost_usd += most_usd
        self._settled.set()

    def unclear_note(self) -> str:
        """What of the sum is only the most that it can be, and why; empty where nothing is."""
        parts = [
            f"up to ${usd:.4f} for {what}"
            for usd, what in (
                (self.lost_usd, "requests whose answer was lost"),
                (self.uncounted_usd, "answers without a token count"),
                (self.earlier_unclear_usd, "requests of earlier commands whose cost is not known"),
            )
            if usd
        ]
        return f", of it {' and '.join(parts)}" if parts else ""

    def _release(self, most_usd: float) -> None:
        self._reserved = max(0.0, self._reserved - most_usd)
        if self._reserved < 1e-12:
            self._reserved = 0.0

    def _reached(self, most_usd: float, because: str) -> str:
        return (
            f"{self.name}: budget_usd of ${self.cap_usd:g} would be passed: ${self.spent_usd:.4f} "
            f"is spent{self.unclear_note()}, and the next request may cost ${most_usd:.4f}{because}"
        )
