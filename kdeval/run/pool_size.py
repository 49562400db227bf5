"""How many workers a model gets, and how much of the machines each takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeval.errors import UsageError
from kdeval.models.protocols import Model
from kdeval.run.ray_settings import RaySettings

__all__ = ["PoolSize", "pool_size"]

_PROCESS = 600 * 2**20
"""Bytes of a worker with torch and transformers, before any weights."""

_IN_MEMORY = 2
"""Bytes in memory for a byte of weights on disk: 16-bit weights become float32 on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSize:
    """How many workers, and what each takes."""

    workers: int
    cpus: float
    gpus: float

    @property
    def each(self) -> str:
        """What one takes, in words."""
        return f"{self.cpus:g} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")


def pool_size(
    settings: RaySettings,
    config: Any,
    model: Model,
    machines: Sequence[Mapping[str, float]],
    *,
    ours: bool,
) -> PoolSize:
    """The workers that a model gets.

    Where none are asked for, as many as the machines have room for, processors, GPUs and memory:
    on a CPU each takes about twice its weights on disk.

    Args:
        settings: of the command line.
        config: the model's.
        model: the driver's, asked only for the size of its files.
        machines: resources of each: "CPU", "GPU", and "memory" in bytes.
        ours: nobody else uses them, and none will be added.

    Raises:
        UsageError: no machine has room for one worker, or ours not for all that were asked for.
    """
    gpus = settings.gpus_per_worker
    if gpus is None:
        usable = getattr(config, "device", "auto") != "cpu"
        gpus = 1.0 if usable and any(machine.get("GPU", 0) for machine in machines) else 0.0
    size = PoolSize(workers=settings.workers or 1, cpus=settings.cpus_per_worker, gpus=gpus)
    room = sum(_room(machine, size) for machine in machines)
    if room < (size.workers if ours else 1):
        raise UsageError(_no_room(config.name, size, room, machines))
    if settings.workers is not None:
        return size
    weights = 0 if gpus else int(getattr(model, "bytes_on_disk", None) or 0)
    needed = _PROCESS + _IN_MEMORY * weights
    fitting = sum(
        min(_room(machine, size), int(machine.get("memory", 0) // needed)) for machine in machines
    )
    return PoolSize(workers=max(1, fitting), cpus=size.cpus, gpus=size.gpus)


def _room(machine: Mapping[str, float], size: PoolSize) -> int:
    """How many workers fit, by processors and GPUs."""
    fits = int(machine.get("CPU", 0) // size.cpus)
    return min(fits, int(machine.get("GPU", 0) // size.gpus)) if size.gpus else fits


def _no_room(name: str, size: PoolSize, room: int, machines: Sequence[Mapping[str, float]]) -> str:
    there = "; ".join(
        f"{machine.get('CPU', 0):g} CPU, {machine.get('GPU', 0):g} GPU" for machine in machines
    )
    wanted = f"--workers {size.workers}" if size.workers > 1 else "a worker"
    return (
        f"{name}: {wanted} with {size.each} each: there is room for {room} (machines: {there}); "
        "lower --workers, --cpus-per-worker or --gpus-per-worker, shares such as 0.5 included"
    )
