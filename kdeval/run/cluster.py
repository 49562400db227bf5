"""Other processes that models can be asked in: what a command needs to know of them."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kdeval.errors import MissingExtraError
from kdeval.models.protocols import Model
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.model_source import ModelSource, model_sources
from kdeval.run.prepare import RunInputs
from kdeval.run.ray_settings import RaySettings

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
    if "ray" not in sys.modules:
        _prepare_environment(settings)
    try:
        from kdeval.run.ray_executor import RayCluster
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise MissingExtraError(feature="--executor ray", extra="ray") from error
    return RayCluster(settings, tell)


def _prepare_environment(settings: RaySettings) -> None:
    """What ray reads when it is imported: nothing is reported, nothing printed, nobody let in.

    Ray prints a paragraph on every worker that dies, whatever its logging level; deaths are counted
    here, and told after the run. It listens on every network interface and runs what it is sent, so
    a cluster that is started here wants a token.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    if not settings.starts_one:
        return
    # Two idle helpers of a cluster whose driver was killed look for it so long before they end.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
