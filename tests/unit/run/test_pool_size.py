"""How many workers a model gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kdeval.errors import UsageError
from kdeval.run.pool_size import PoolSize, pool_size
from kdeval.run.ray_settings import RaySettings

GB = 2**30
LAPTOP = {"CPU": 8.0, "memory": 16.0 * GB}
GPUS = {"CPU": 32.0, "GPU": 4.0, "memory": 200.0 * GB}


def _size(machines: list[dict[str, float]], **settings: Any) -> PoolSize:
    weights = settings.pop("weights", 0)
    device = settings.pop("device", "auto")
    return pool_size(
        RaySettings(**settings),
        SimpleNamespace(name="m", device=device),
        SimpleNamespace(bytes_on_disk=weights, fingerprint="f"),
        machines,
        ours=settings.get("address") is None,
    )


def test_as_many_as_there_are_processors_or_gpus() -> None:
    """A GPU each where there are any, and the model may use them."""
    assert _size([LAPTOP]) == PoolSize(workers=8, cpus=1, gpus=0)
    assert _size([LAPTOP], cpus_per_worker=3) == PoolSize(workers=2, cpus=3, gpus=0)
    assert _size([GPUS, GPUS]) == PoolSize(workers=8, cpus=1, gpus=1)
    assert _size([GPUS], gpus_per_worker=0.5) == PoolSize(workers=8, cpus=1, gpus=0.5)
    assert _size([GPUS], device="cpu") == PoolSize(workers=32, cpus=1, gpus=0)
    assert _size([GPUS], gpus_per_worker=0).gpus == 0


def test_no_more_than_fit_into_memory() -> None:
    """On a CPU the weights count twice; one worker is always tried."""
    assert _size([LAPTOP], weights=2 * GB).workers == 3
    assert _size([LAPTOP], weights=40 * GB).workers == 1
    assert _size([LAPTOP], weights=2 * GB, workers=8).workers == 8


def test_what_has_no_room_is_refused() -> None:
    """Of our own machine all that are asked for; of a cluster, which may grow, one must fit."""
    with pytest.raises(UsageError, match=r"--workers 9 with 1 CPU each: there is room for 8"):
        _size([LAPTOP], workers=9)
    assert _size([LAPTOP], workers=9, address="auto").workers == 9
    with pytest.raises(UsageError, match=r"a worker with 1 CPU and 1 GPU each"):
        _size([LAPTOP], gpus_per_worker=1, address="auto")
    assert _size([LAPTOP], workers=16, cpus_per_worker=0.5).workers == 16


@pytest.mark.parametrize(
    "settings",
    [{"workers": 0}, {"cpus_per_worker": 0}, {"gpus_per_worker": -1}, {"gpus_per_worker": 1.5}],
)
def test_settings_that_mean_nothing(settings: dict[str, Any]) -> None:
    """Refused before anything is started."""
    with pytest.raises(UsageError):
        RaySettings(**settings)
