"""Where models are asked: the options that `kdeval run` and `kdeval aa` share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kdeval.run.cluster import Cluster

__all__ = ["ExecutorCommand", "Where", "executor_options"]

_OPTIONS = (
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        help="Ask models in this process, or in Ray workers that hold one model each [local].",
    ),
    click.option("--address", help='Of a running cluster, or "auto" [one is started here].'),
    click.option(
        "--workers", type=click.IntRange(min=1), help="How many [as many as there is room for]."
    ),
    click.option(
        "--gpus-per-worker",
        type=click.FloatRange(min=0),
        help="May be a share: 0.5 [1 where there are any].",
    ),
    click.option(
        "--cpus-per-worker",
        type=click.FloatRange(min=0, min_open=True),
        help="And threads of each [1].",
    ),
)
_NAMES = ("executor", "address", "workers", "gpus_per_worker", "cpus_per_worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the options say."""

    executor: str
    address: str | None
    workers: int | None
    gpus_per_worker: float | None
    cpus_per_worker: float | None

    @contextmanager
    def cluster(self) -> Iterator[Cluster | None]:
        """The Ray cluster, left and ended where it was started here; None without --executor ray.

        Raises:
            UsageError: an option is given that goes with Ray only.
            MissingExtraError: ray is not installed.
        """
        from kdeval.errors import UsageError

        if self.executor == "local":
            for name in _NAMES[1:]:
                if getattr(self, name) is not None:
                    raise UsageError(f"--{name.replace('_', '-')} goes with --executor ray")
            yield None
            return
        from kdeval.run.cluster import ray_cluster
        from kdeval.run.ray_settings import RaySettings

        settings = RaySettings(
            address=self.address,
            workers=self.workers,
            gpus_per_worker=self.gpus_per_worker,
            cpus_per_worker=self.cpus_per_worker or 1.0,
        )
        with ray_cluster(settings, lambda line: click.echo(line, err=True)) as cluster:
            yield cluster


def executor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the command is called with what they say as `where`."""

    @functools.wraps(command)
    def called(**options: Any) -> None:
        said = {name: options.pop(name) for name in _NAMES}
        command(**options, where=Where(**said))

    for option in reversed(_OPTIONS):
        called = option(called)
    return called


class ExecutorCommand(click.Command):
    """A command whose help shows those options in a section of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes both sections."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Executor": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections["Executor" if parameter.name in _NAMES else "Options"].append(record)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)
