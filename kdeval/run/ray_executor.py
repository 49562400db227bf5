"""Models asked in Ray actors: workers compute, and the driver alone writes the store."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import ray

from kdeval.errors import RunError, UsageError
from kdeval.models.protocols import Model, Request
from kdeval.records import Response
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.executor import LocalExecutor
from kdeval.run.model_source import ModelSource
from kdeval.run.pool_size import PoolSize, pool_size
from kdeval.run.ray_settings import ADDRESS_VARIABLE, RaySettings
from kdeval.run.worker_messages import WorkerJob, place_of
from kdeval.run.worker_pool import WorkerPool

__all__ = ["RayCluster", "RayExecutor"]

_OBJECT_STORE = 100 * 2**20
"""Bytes of shared memory: all that passes through it is corpora and batches with images."""


_REACH_S = 10.0


class RayCluster:
    """A Ray cluster that is started, or joined, when the first model is asked there.

    One that this process had joined before is used as it is, and left so.
    """

    def __init__(self, settings: RaySettings, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._joined = False
        self._ours = settings.starts_one

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def executor(self, sources: Sequence[tuple[Model, ModelSource]]) -> RayExecutor:
        """What asks those models there, one after the other, and any other model here."""
        return RayExecutor(self, sources)

    def pool(self, model: Model, source: ModelSource) -> WorkerPool:
        """Workers for one model.

        Raises:
            UsageError: there is no such cluster, or no room for a worker on it.
        """
        self._join()
        size = pool_size(self._settings, source.config, model, _machines(), ours=self._ours)
        plural = "s" if size.workers > 1 else ""
        self._tell(f"{source.config.name}: {size.workers} Ray worker{plural} with {size.each} each")
        return WorkerPool(_job(model, source, size), size, self._tell)

    def release(self) -> None:
        """Leaves the cluster, and ends it if it was started here."""
        if self._joined:
            self._joined = False
            ray.shutdown()

    def _join(self) -> None:
        if ray.is_initialized():
            return
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._ours:
            quiet |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}
        self._joined = True
        try:
            _reach(self._settings.found_address)
            ray.init(address=self._settings.found_address, **quiet)
        except Exception as error:
            self.release()
            raise _not_joined(self._settings, error) from error
        except BaseException:
            self.release()
            raise


class RayExecutor:
    """Asks each model in workers of its own, which are gone before the next model's are made.

    Models that no other process can build, that only look up what was recorded, or that limit how
    much is asked of them at a time (APIs: rates and budgets are counted by one process) stay here.
    """

    unloads_models = True

    def __init__(self, cluster: RayCluster, sources: Sequence[tuple[Model, ModelSource]]) -> None:
        self._cluster = cluster
        self._sources = list(sources)
        self._here = LocalExecutor()
        self._told: list[tuple[Model, Elsewhere]] = []

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with its responses as they come, whole or in parts."""
        source = self._source(model)
        if source is None:
            yield from self._here.answer(model, batches)
            return
        batches = iter(batches)
        first = next(batches, None)
        if first is None:
            return
        pool = self._cluster.pool(model, source)
        try:
            yield from pool.answer(chain([first], batches))
        finally:
            pool.close()
            self._told.append((model, pool.elsewhere))

    def elsewhere(self, model: Model) -> Elsewhere | None:
        """What the workers of a model said of it, over all calls; None: it was asked here."""
        told = [one for asked, one in self._told if asked is model]
        if not told:
            return None
        merged, here = Elsewhere.merged(told), getattr(model, "device", None)
        if here is None or merged.device in (None, here):
            return merged
        note = f"answered on {merged.device}; latency and tokens are measured here, on {here}"
        return replace(merged, notes=(*merged.notes, note))

    def _source(self, model: Model) -> ModelSource | None:
        if getattr(model, "answers_by_id", False) or hasattr(model, "max_concurrency"):
            return None
        return next((source for known, source in self._sources if known is model), None)


def _reach(address: str) -> None:
    """Nothing, or OSError where nobody listens there: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()


def _machines() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _job(model: Model, source: ModelSource, size: PoolSize) -> WorkerJob:
    return WorkerJob(
        source=source,
        place=place_of(model),
        directory=str(Path.cwd()),
        host=socket.gethostname(),
        threads=max(1, int(size.cpus)),
        gpus=size.gpus,
    )


def _not_joined(settings: RaySettings, error: Exception) -> RunError | UsageError:
    said = " ".join(str(error).split())[:300] or type(error).__name__
    address = settings.found_address
    if settings.starts_one:
        return RunError(f"Ray cannot be started on this machine: {said}")
    if "ray[client]" in said:
        return UsageError(f"{address!r} needs Ray's client: pip install 'ray[client]'")
    return UsageError(
        f"there is no Ray cluster at {address!r} that lets us in ({said}); start one with `ray "
        "start --head`; where one wants a token, set RAY_AUTH_MODE=token; or leave --address (and "
        f"{ADDRESS_VARIABLE}) out to use this machine alone"
    )
