"""Stopping all requests of a model when one has shown that the others are in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kdeval.errors import KdevalError

__all__ = ["Halt"]


class Halt:
    """Holds why everything stops, and wakes those that wait; to be used from one event loop."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._error: KdevalError | None = None
        self._called = asyncio.Event()

    def call(self, error: KdevalError) -> None:
        """Stops everything; the first reason stays.

        Raises:
            KdevalError: that reason.
        """
        self._error = self._error or error
        self._called.set()
        self.check()

    def check(self) -> None:
        """Nothing, or raises why everything stops."""
        if self._error is not None:
            raise self._error

    async def sleep(self, seconds: float) -> None:
        """Sleeps so long; raises at once when everything stops meanwhile."""
        self.check()
        tasks = [
            asyncio.ensure_future(wait) for wait in (self._sleep(seconds), self._called.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        self.check()
