"""Other processes that models can be asked in: what a command needs to know of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kdeval.errors import MissingExtraError
from kdeval.models.protocols import Model
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.model_source import ModelSource, model_sources
from kdeval.run.ray_settings import RaySettings
from kdeval.run.runner import RunInputs

__all__ = ["Cluster", "executor_on", "ray_cluster"]


class Cluster(AbstractContextManager["Cluster"], Protocol):
    """Processes that hold models, of which a command makes use.

    At the end of its context, that of an error included, whatever was started is stopped.
    """

    def executor(self, sources: Sequence[tuple[Model, ModelSource]]) -> Executor:
        """What asks those models there, one after the other, and any other model here."""

    def release(self) -> None:
        """Stops what was started; asking again starts it anew."""


def executor_on(cluster: Cluster | None, inputs: RunInputs) -> Executor:
    """What asks the models of `inputs`; without a cluster this process does."""
    if cluster is None:
        return LocalExecutor()
    return cluster.executor(model_sources(inputs.config.models, inputs.models, inputs.search))


def ray_cluster(settings: RaySettings, tell: Callable[[str], None] = lambda line: None) -> Cluster:
    """A Ray cluster; nothing is started or reached before there is something to ask.

    Args:
        settings: which, and how much of it.
        tell: called with a line when workers for a model are made.

    Raises:
        MissingExtraError: ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray prints a paragraph on every worker that dies, whatever its logging level; they are counted
    # here, and told after the run. Read when ray is imported.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        from kdeval.run.ray_executor import RayCluster
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise MissingExtraError(feature="--executor ray", extra="ray") from error
    return RayCluster(settings, tell)
