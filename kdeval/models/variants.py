"""The same model under other conditions: what can be varied, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from kdeval.config.schema import (
    ApiModelConfig,
    CausalLMConfig,
    CustomModel,
    EchoModelConfig,
    EnsembleConfig,
    ModelConfig,
    RecordedModelConfig,
)
from kdeval.config.transformers_models import TransformersConfig
from kdeval.models.protocols import Model
from kdeval.records import Kind

__all__ = ["CONDITIONS", "Condition", "NotVaried", "Rebatched", "Variant", "variants_of"]

Condition = Literal["batch_size", "seed", "dtype", "device", "repeat"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)

_OTHER_BATCH = 8
_WRITTEN: tuple[Kind, ...] = ("extraction", "generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One changed condition.

    Attributes:
        name: short, fit for a file: "batch-size-1", "repeat-2".
        change: in words: "batch size 1 instead of 64".
        settings: of the model's configuration that differ.
        replicate: which repeat of the requests; 0 for all but repeats.
        batch_size: how many requests it gets at a time; None: as configured.
    """

    condition: Condition
    name: str
    change: str
    settings: dict[str, Any] = field(default_factory=dict)
    replicate: int = 0
    batch_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotVaried:
    """A condition that this model cannot be put under, and why."""

    condition: Condition
    reason: str


class Rebatched:
    """A model that is given `batch_size` requests at a time; otherwise as it is."""

    def __init__(self, model: Model, batch_size: int) -> None:
        self.wrapped = model
        self.batch_size = self.scoring_batch_size = self.writing_batch_size = batch_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


def variants_of(
    config: ModelConfig,
    model: Model,
    kinds: Sequence[Kind],
    conditions: Sequence[Condition],
    *,
    repeats: int = 1,
) -> tuple[tuple[Variant, ...], tuple[NotVaried, ...]]:
    """The model under each of `conditions`, and those conditions that it cannot be put under.

    Args:
        config: the model's configuration.
        model: built of it; asked for its dtype, device and batch size, never for an answer.
        kinds: of the suites: only text that is written can be sampled.
        conditions: which to try.
        repeats: how many repeats, and how many other seeds.
    """
    found: list[Variant] = []
    refused: list[NotVaried] = []
    for condition in conditions:
        made = _made(condition, config, model, kinds, repeats)
        if isinstance(made, str):
            refused.append(NotVaried(condition=condition, reason=made))
        else:
            found.extend(made)
    return tuple(found), tuple(refused)


def _made(
    condition: Condition, config: ModelConfig, model: Model, kinds: Sequence[Kind], repeats: int
) -> list[Variant] | str:
    if _recorded(config):
        return "its answers are recorded: it cannot be asked again"
    if isinstance(config, EnsembleConfig) and condition != "repeat":
        return "an ensemble is only asked again: vary its members one by one"
    if condition == "repeat":
        return [
            Variant(
                condition="repeat",
                name=f"repeat-{k}",
                change=f"asked again ({k})" if repeats > 1 else "asked again",
                replicate=k,
            )
            for k in range(1, repeats + 1)
        ]
    if isinstance(config, ApiModelConfig):
        return "an API sees to that itself: it is only asked again"
    if condition == "batch_size":
        return [_batch_size(config, model)]
    if condition == "seed":
        return _seeds(config, kinds, repeats)
    if not isinstance(config, TransformersConfig):
        return _foreign(config, condition)
    return _dtype(config, model) if condition == "dtype" else _device(model)


def _recorded(config: ModelConfig) -> bool:
    if isinstance(config, EnsembleConfig):
        return all(isinstance(member, RecordedModelConfig) for member in config.members)
    return isinstance(config, RecordedModelConfig)


def _batch_size(config: ModelConfig, model: Model) -> Variant:
    configured = int(getattr(model, "batch_size", 32))
    other = 1 if configured > 1 else _OTHER_BATCH
    grows = isinstance(config, TransformersConfig) and other > configured
    settings = {"batch_size": other} if grows else {}
    return Variant(
        condition="batch_size",
        name=f"batch-size-{other}",
        change=f"batch size {other} instead of {configured}",
        settings=settings,
        batch_size=other,
    )


def _seeds(config: ModelConfig, kinds: Sequence[Kind], repeats: int) -> list[Variant] | str:
    if not isinstance(config, CausalLMConfig):
        return _foreign(config, "seed")
    if config.generation.temperature == 0:
        return "it decodes greedily (temperature 0): no seed has a part in it"
    if not any(kind in _WRITTEN for kind in kinds):
        return "it only chooses in these suites: nothing is sampled"
    configured = config.generation.seed
    return [
        Variant(
            condition="seed",
            name=f"seed-{configured + k}",
            change=f"seed {configured + k} instead of {configured}",
            settings={"generation": config.generation.model_copy(update={"seed": configured + k})},
        )
        for k in range(1, repeats + 1)
    ]


def _dtype(config: TransformersConfig, model: Model) -> list[Variant] | str:
    if getattr(config, "quantization", None) is not None:
        return "its weights are quantized: their dtype is fixed"
    configured = str(getattr(model, "dtype", "float32"))
    other = "bfloat16" if configured == "float32" else "float32"
    change = f"{other} instead of {configured}"
    return [Variant(condition="dtype", name=other, change=change, settings={"dtype": other})]


def _device(model: Model) -> list[Variant] | str:
    from kdeval.models.torch_hardware import other_device

    configured = str(getattr(model, "device", "cpu"))
    other = other_device(configured)
    if other is None:
        return "this machine has no other device"
    settings = {"device": other, "dtype": str(getattr(model, "dtype", "float32"))}
    change = f"{other} instead of {configured}"
    name = f"on-{other.replace(':', '-')}"
    return [Variant(condition="device", name=name, change=change, settings=settings)]


def _foreign(config: ModelConfig, condition: Condition) -> str:
    words = condition.replace("_", " ")
    if isinstance(config, EchoModelConfig):
        return f"echo has no {words}" if condition != "seed" else "its seed makes another model"
    if isinstance(config, CustomModel):
        return "kdeval does not know that of a class of your own; a repeat asks it again"
    return f"a model of type {config.type} has no {words} to vary"
