"""Where a model comes from, so that another process can build the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeval.config.schema import CustomModel
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Model

__all__ = ["ModelSource", "model_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """What `kdeval.models.resolver.build_model` takes, and what must come out.

    Attributes:
        fingerprint: of the model, as it was when the run began.
        config: the model's configuration, its paths absolute.
        search: directories where the module of a "module:Class" may lie, absolute.
        paths: files and directories of the model, which were there when the run began.
    """

    fingerprint: str
    config: Any
    search: tuple[Path, ...] = ()
    paths: tuple[str, ...] = ()


def model_sources(
    configs: Sequence[Any], models: Mapping[str, Model], search: Sequence[Path]
) -> list[tuple[Model, ModelSource]]:
    """Each model with its source, an ensemble's members in its place.

    Pairs and no mapping: two models of the user's may say the same fingerprint.
    """
    absolute = tuple(path.resolve() for path in search)
    found: list[tuple[Model, ModelSource]] = []
    for config in configs:
        model = models.get(config.name)
        if isinstance(model, Ensemble):
            members = [(model.members[item.name], item) for item in config.members]
        else:
            members = [] if model is None else [(model, config)]
        found += [
            (
                one,
                ModelSource(
                    fingerprint=one.fingerprint, config=item, search=absolute, paths=_paths(item)
                ),
            )
            for one, item in members
        ]
    return found


def _paths(config: Any) -> tuple[str, ...]:
    settings = config.options if isinstance(config, CustomModel) else config.model_dump()
    named = (settings.get(name) for name in ("path", "tokenizer"))
    return tuple(path for path in named if isinstance(path, str) and Path(path).exists())
