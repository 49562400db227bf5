"""Ray actors that hold one model each, and keep answering when some of them die."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    WorkerCrashedError,
)

from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Corpus, Response
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.model_worker import ModelWorker
from kdeval.run.pool_size import PoolSize
from kdeval.run.secrets import redacted
from kdeval.run.units import Unit, UnitQueue
from kdeval.run.worker_messages import Answered, Parcel, Ready, Refused, WorkerJob

__all__ = ["WorkerPool"]

_IN_FLIGHT = 2
"""Units that a worker has at a time: one it answers, one that waits there, so it is never idle."""

_POLL_S = 1.0
_PATIENCE_S = 60.0
_LOADS = 3
"""So many workers may die in a row while the model is built."""

_DEATHS_BEFORE_ANY, _DEATHS_IN_A_ROW = 8, 64
"""So often may units that were tried before kill their worker with none answered in between."""

_GONE = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError, ObjectLostError)
_WORKER_DIED = (
    "WorkerDied: the worker process died each time this was asked: memory ran out, or native code "
    "crashed"
)

Answers = Iterator[tuple[Sequence[Request], list[Response]]]


@dataclass(slots=True, eq=False)
class _Worker:
    """An actor, what was sent to it and is not back, and what its model said last."""

    actor: Any
    loading: Any
    flight: deque[tuple[Unit, Any]] = field(default_factory=deque)
    corpora: set[str] = field(default_factory=set)
    model: Elsewhere | None = None

    @property
    def next(self) -> Any:
        """What comes back from it first, or None: an actor answers in the order it was asked."""
        if self.loading is not None:
            return self.loading
        return self.flight[0][1] if self.flight else None


class WorkerPool:
    """Workers for one model; when it is closed they are gone, with their memory.

    Workers are made when there are units for them, and only those that have the model get units,
    so that none waits for a machine that the cluster does not have. At most two units a worker are
    on their way.
    """

    def __init__(self, job: WorkerJob, size: PoolSize, tell: Callable[[str], None]) -> None:
        self._job = job
        self._size = size
        self._tell = tell
        self._make = ray.remote(ModelWorker).options(
            num_cpus=size.cpus, num_gpus=size.gpus, max_restarts=0, max_task_retries=0
        )
        self._workers: list[_Worker] = []
        self._corpora: dict[str, Any] = {}
        self._told: list[Elsewhere] = []
        self._deaths = self._failed_loads = self._in_a_row = 0
        self._most = 0
        self._since = time.monotonic()

    def answer(self, batches: Iterable[Sequence[Request]]) -> Answers:
        """Requests with their responses, as they come; a batch comes whole or in parts.

        Raises:
            ModelError: the model cannot be had or breaks its protocol on a worker, or workers die
                of whatever they are asked.
        """
        queue = UnitQueue(batches)
        while True:
            self._send(queue)
            waiting = {worker.next: worker for worker in self._workers if worker.next is not None}
            if not queue.ahead(1) and not any(worker.flight for worker in self._workers):
                return
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_POLL_S)
            for reference in ready:
                yield from self._settled(waiting[reference], reference, queue)
            self._explain_waiting()

    def close(self) -> None:
        """Ends the workers."""
        for worker in self._workers:
            self._forget(worker)
        self._workers.clear()
        self._corpora.clear()

    @property
    def elsewhere(self) -> Elsewhere:
        """What the workers said of the model; complete once closed."""
        one = self._deaths == 1
        note = (
            f"{self._deaths} of its workers died; what {'it' if one else 'they'} worked on was "
            "asked again"
        )
        told = Elsewhere(workers=self._most, notes=(note,) if self._deaths else ())
        return Elsewhere.merged([told, *self._told])

    def _send(self, queue: UnitQueue) -> None:
        """Units to workers that have the model, evenly, and workers for units that have none."""
        able = [worker for worker in self._workers if worker.loading is None]
        self._most = max(self._most, len(able))
        for depth in range(_IN_FLIGHT):
            for worker in able:
                if len(worker.flight) == depth:
                    unit = queue.take()
                    if unit is None:
                        return
                    worker.flight.append((unit, self._asked(worker, unit)))
        free = self._size.workers - len(self._workers)
        loading = len(self._workers) - len(able)
        for _ in range(min(free, queue.ahead(self._size.workers) - loading)):
            actor = self._make.remote(self._job)
            self._workers.append(_Worker(actor, actor.load.remote()))

    def _asked(self, worker: _Worker, unit: Unit) -> Any:
        parcel = Parcel.packed(unit.requests, lambda corpus: self._kept(worker, corpus))
        return worker.actor.answer.remote(parcel)

    def _kept(self, worker: _Worker, corpus: Corpus) -> str:
        """The key of a corpus, which the worker has from now on."""
        key = f"{corpus.sha256} {corpus.depth}"
        if key not in self._corpora:
            self._corpora[key] = ray.put(corpus)
        if key not in worker.corpora:
            worker.actor.keep.remote(key, self._corpora[key])
            worker.corpora.add(key)
        return key

    def _settled(self, worker: _Worker, reference: Any, queue: UnitQueue) -> Answers:
        """What a worker sent back, or what is to be done when it is dead."""
        try:
            result = ray.get(reference)
        except _GONE as error:
            yield from self._died(worker, queue, error)
            return
        except RayError as error:
            raise ModelError(f"{self._name}: a worker failed: {_last_line(error)}") from error
        if isinstance(result, Refused):
            raise ModelError(result.reason)
        if isinstance(result, Ready):
            worker.loading = None
            self._failed_loads = 0
            return
        assert isinstance(result, Answered)
        unit, _ = worker.flight.popleft()
        worker.model = result.model
        self._in_a_row = 0
        yield unit.requests, result.responses

    def _died(self, worker: _Worker, queue: UnitQueue, error: Exception) -> Answers:
        self._workers.remove(worker)
        self._forget(worker)
        self._deaths += 1
        if worker.loading is not None:
            self._failed_loads += 1
            if self._failed_loads >= _LOADS:
                raise ModelError(
                    f"{self._name}: {_LOADS} workers in a row died while they built it: "
                    f"{_last_line(error)}"
                ) from error
            return
        if not worker.flight:
            return
        unit, *unbegun = [unit for unit, _ in worker.flight]
        queue.put_back(unbegun)
        self._count(unit, error)
        culprit = queue.blame(unit)
        if culprit is not None:
            yield (culprit,), [Response(error=_WORKER_DIED)]

    def _count(self, unit: Unit, error: Exception) -> None:
        """Stops a model that can answer nothing: a first death may be a machine's."""
        self._in_a_row += unit.deaths > 0
        answered = bool(self._told) or any(worker.model for worker in self._workers)
        if self._in_a_row >= (_DEATHS_IN_A_ROW if answered else _DEATHS_BEFORE_ANY):
            raise ModelError(
                f"{self._name}: its workers died {self._in_a_row} times in a row, whatever they "
                "were asked; give them more memory (fewer --workers, a smaller batch_size), or "
                f"try it without Ray: {_last_line(error)}"
            ) from error

    def _forget(self, worker: _Worker) -> None:
        if worker.model is not None:
            self._told.append(worker.model)
        with contextlib.suppress(RayError, ValueError, ConnectionError):
            ray.kill(worker.actor, no_restart=True)

    def _explain_waiting(self) -> None:
        """A line a minute for as long as there is no worker that has the model."""
        if any(worker.loading is None for worker in self._workers):
            self._since = time.monotonic()
        elif time.monotonic() - self._since > _PATIENCE_S:
            self._since = time.monotonic()
            self._tell(
                f"{self._name}: still waiting for the first worker: the cluster has no room for "
                f"{self._size.each}, or the model takes long to build"
            )

    @property
    def _name(self) -> str:
        return str(self._job.source.config.name)


def _last_line(error: Exception) -> str:
    """The end of what Ray says, where the cause is; short, and without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redacted(lines[-1] if lines else type(error).__name__)[:300]
