"""Which Ray cluster, and how much of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kdeval.errors import UsageError

__all__ = ["ADDRESS_VARIABLE", "RaySettings"]

ADDRESS_VARIABLE = "RAY_ADDRESS"
"""Where Ray's own tools, and jobs that they submit, say which cluster it is."""

_HERE = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """What `--executor ray` can be told.

    Attributes:
        address: of a running cluster, or "auto" to find the one that this machine is part of;
            None: the one that the environment names in RAY_ADDRESS, else one is started here.
        workers: how many processes hold a model; None: as many as there is room for.
        gpus_per_worker: share of a GPU each; None: one where there are any, unless the model's
            configuration says `device: cpu`.
        cpus_per_worker: processors of each, which are also the threads that it computes with.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float | None = None
    cpus_per_worker: float = 1.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers {self.workers}: at least 1")
        if self.cpus_per_worker <= 0:
            raise UsageError(f"cpus per worker {self.cpus_per_worker}: more than 0")
        share = self.gpus_per_worker
        if share is not None and (share < 0 or (share > 1 and share % 1)):
            raise UsageError(f"GPUs per worker {share}: a share between 0 and 1, or whole GPUs")

    @property
    def found_address(self) -> str:
        """As Ray takes it; "local" starts one."""
        return self.address or os.environ.get(ADDRESS_VARIABLE) or _HERE

    @property
    def starts_one(self) -> bool:
        """Whether a cluster is started on this machine, for this process alone."""
        return self.found_address == _HERE
