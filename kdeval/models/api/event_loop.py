"""An event loop in a thread of its own, so that any thread can wait for what runs in it."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["API_LOOP", "EventLoopThread"]

Value = TypeVar("Value")

_END_S = 5.0


class EventLoopThread:
    """Begins with the first call; ends with the process, which cancels what still waits in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """What the coroutine returns, or raises; other calls go on meanwhile."""
        return asyncio.run_coroutine_threadsafe(work, self._started()).result()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=_work, args=(self._loop,), name="kdeval-api", daemon=True
                )
                thread.start()
                atexit.register(_end, self._loop, thread)
            return self._loop


def _work(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_END_S))
    loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_END_S)


API_LOOP = EventLoopThread()
"""That of all models: litellm leaves a task in it that waits for ever, and loses the one that it
left in another loop, of which Python tells on standard error.
"""
