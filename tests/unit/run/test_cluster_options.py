"""What --executor ray refuses before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kdeval.cli.executor_options import Where
from kdeval.config.schema import EchoModelConfig
from kdeval.errors import UsageError
from kdeval.models.echo import EchoModel
from kdeval.run.cluster import ray_cluster
from kdeval.run.model_source import model_sources
from kdeval.run.ray_settings import ADDRESS_VARIABLE, RaySettings


@pytest.mark.parametrize(
    "given", [{"address": "auto"}, {"workers": 2}, {"gpus_per_worker": 0.5}, {"cpus_per_worker": 2}]
)
def test_options_of_ray_without_ray(given: dict[str, object]) -> None:
    """Named, with what they go with."""
    every = ("address", "workers", "gpus_per_worker", "cpus_per_worker")
    where = Where(executor="local", **{**dict.fromkeys(every), **given})  # type: ignore[arg-type]
    option = next(iter(given)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--{option} goes with --executor ray"), where.cluster():
        pass


def test_the_cluster_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address wins over RAY_ADDRESS, which wins over one of our own."""
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    assert RaySettings().starts_one
    monkeypatch.setenv(ADDRESS_VARIABLE, "10.0.0.1:6379")
    assert RaySettings().found_address == "10.0.0.1:6379"
    assert not RaySettings().starts_one
    assert RaySettings(address="auto").found_address == "auto"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens(scheme: str) -> None:
    """Told at once, with the ways out; Ray itself would try for minutes."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{unused.getsockname()[1]}"
        config = EchoModelConfig(name="m", type="echo")
        model = EchoModel.from_config(config)
        sources = model_sources([config], {"m": model}, [Path()])
        with ray_cluster(RaySettings(address=address)) as cluster:
            answers = cluster.executor(sources).answer(model, [[]])
            with pytest.raises(UsageError, match=rf"no Ray cluster at '{address}'.*ray start"):
                next(answers)
