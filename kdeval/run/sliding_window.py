"""Several batches in work at a time, each handed on as soon as it is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kdeval.models.protocols import Request
from kdeval.records import Response

__all__ = ["answered_as_done"]

_Batch = Sequence[Request]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    batch: _Batch
    responses: list[Response] | None = None
    error: BaseException | None = None


def answered_as_done(
    ask: Callable[[_Batch], list[Response]], batches: Iterable[_Batch], at_once: int
) -> Iterator[tuple[_Batch, list[Response]]]:
    """Each batch with its responses, in the order in which they are done.

    A slow batch holds up no other: whenever one is done the next one begins. When one raises, no
    further one begins; those in work are still handed on, because they may have been paid for, and
    then it is raised.

    Args:
        ask: answers a batch; called from `at_once` threads.
        batches: taken one by one, no more than are in work.
        at_once: how many are in work, at least 1.
    """
    todo: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
    waiting = iter(batches)
    threads, in_work = 0, 0
    failed: BaseException | None = None
    try:
        while True:
            while failed is None and in_work < at_once:
                batch = next(waiting, None)
                if batch is None:
                    break
                if threads <= in_work:
                    threads += 1
                    threading.Thread(target=_work, args=(ask, todo, done), daemon=True).start()
                todo.put(batch)
                in_work += 1
            if not in_work:
                break
            found = done.get()
            in_work -= 1
            if found.responses is not None:
                yield found.batch, found.responses
            else:
                failed = failed or found.error
        if failed is not None:
            raise failed
    finally:
        for _ in range(threads):
            todo.put(None)


def _work(
    ask: Callable[[_Batch], list[Response]],
    todo: queue.SimpleQueue[_Batch | None],
    done: queue.SimpleQueue[_Done],
) -> None:
    while (batch := todo.get()) is not None:
        try:
            done.put(_Done(batch=batch, responses=ask(batch)))
        except BaseException as error:
            done.put(_Done(batch=batch, error=error))
