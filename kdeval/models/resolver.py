"""From a model's configuration to the model: built in, an entry point, or "module:Class"."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from kdeval.config.imports import import_named
from kdeval.config.schema import (
    MODEL_ENTRY_POINTS,
    ApiModelConfig,
    CausalLMConfig,
    CustomModel,
    EchoModelConfig,
    EmbedderConfig,
    EnsembleConfig,
    ImageClassifierConfig,
    Price,
    RecordedModelConfig,
    SequenceClassifierConfig,
)
from kdeval.errors import ConfigError, KdevalError, MissingExtraError, ModelError
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import (
    METHODS,
    ChoiceScorer,
    Classifier,
    ContinuationScorer,
    Embedder,
    Generator,
    LikelihoodScorer,
    Model,
    Ranker,
)
from kdeval.models.ranking import RankedEmbedder
from kdeval.records import Kind
from kdeval.store.export_file import is_export
from kdeval.store.fingerprints import value_digest

__all__ = ["build_model", "require_capability", "stored_fingerprint"]

_CAPABILITY: dict[Kind, type] = {
    "classification": Classifier,
    "multiple_choice": ChoiceScorer,
    "extraction": Generator,
    "generation": Generator,
    "likelihood": LikelihoodScorer,
    "loglikelihood": ContinuationScorer,
    "retrieval": Ranker,
}
_ANSWERING = (Classifier, ChoiceScorer, Generator, LikelihoodScorer, ContinuationScorer)
_TRANSFORMERS = (SequenceClassifierConfig, ImageClassifierConfig, CausalLMConfig, EmbedderConfig)
_HF_PACKAGES = ("torch", "transformers", "safetensors", "tokenizers", "PIL", "gguf")


def build_model(
    config: Any, *, search: Sequence[Path] = (), prices: Mapping[str, Price] | None = None
) -> Model:
    """The model that `config` describes.

    Args:
        config: one of the model configurations of `kdeval.config.schema`.
        search: directories where the module of a "module:Class" may lie, beside sys.path.
        prices: the run's `costs` by name, for models that count what they spend.

    Raises:
        ModelError: it cannot be loaded; MissingExtraError with the pip line when an optional
            dependency is missing.
    """
    if isinstance(config, RecordedModelConfig):
        return _recorded(config)
    if isinstance(config, EchoModelConfig):
        from kdeval.models.echo import EchoModel

        return EchoModel.from_config(config)
    if isinstance(config, _TRANSFORMERS):
        return _transformers_model(config)
    if isinstance(config, ApiModelConfig):
        from kdeval.models.api.model import ApiModel

        return ApiModel(config, price=(prices or {}).get(config.name))
    if isinstance(config, CustomModel):
        return _custom(config, search)
    if isinstance(config, EnsembleConfig):
        return _ensemble(config, search, prices)
    raise ModelError(f"no adapter for a model configuration of type {type(config).__name__}")


def require_capability(name: str, model: Model, kind: Kind, suite: str) -> None:
    """Nothing, or ModelError when the model cannot answer requests of that kind."""
    protocol = _CAPABILITY[kind]
    if not isinstance(model, protocol):
        raise ModelError(
            f"{name}: {type(model).__name__} has no method {METHODS[kind]}(), which the "
            f"{kind} suite {suite!r} needs{_why_not(model)}"
        )
    if isinstance(model, Ensemble):
        problem = model.problem(kind)
        if problem is not None:
            raise ModelError(f"{name}: suite {suite!r}: {problem}")
        for member, inner in model.members.items():
            require_capability(f"{name}, member {member}", inner, kind, suite)


def _why_not(model: Model) -> str:
    reason = getattr(model, "unable", None)
    return f": {reason}" if isinstance(reason, str) else ""


def stored_fingerprint(config: Any, model: Model, search: Sequence[Path] = ()) -> str:
    """What the model's answers are stored under.

    The model's own fingerprint, and for a class of the user's also which class and options it is:
    so two classes, or one class with other options, never share answers, even when both say the
    same fingerprint. A path counts relative to the configuration, so that a project may move.
    """
    if not isinstance(config, CustomModel):
        return model.fingerprint
    options = dict(config.options)
    if isinstance(options.get("path"), str) and search:
        options["path"] = os.path.relpath(options["path"], search[0])
    return value_digest([config.type, options, model.fingerprint])


def _recorded(config: RecordedModelConfig) -> Model:
    path = Path(config.path)
    if config.columns is None:
        from kdeval.models.exported import ExportedModel

        return ExportedModel(path, suite=config.suite)
    if is_export(path):
        raise ConfigError(
            f"{config.name}: {path}: leave out `columns`: a file of `kdeval export` needs none"
        )
    from kdeval.models.recorded import RecordedModel

    return RecordedModel(path, columns=config.columns, suite=config.suite)


def _ensemble(
    config: EnsembleConfig, search: Sequence[Path], prices: Mapping[str, Price] | None
) -> Ensemble:
    members = {
        item.name: build_model(item, search=search, prices=prices) for item in config.members
    }
    fingerprints = {
        item.name: stored_fingerprint(item, members[item.name], search) for item in config.members
    }
    return Ensemble(config.name, members, fingerprints, combine=config.combine)


def _transformers_model(
    config: SequenceClassifierConfig | ImageClassifierConfig | CausalLMConfig | EmbedderConfig,
) -> Model:
    try:
        if isinstance(config, CausalLMConfig):
            from kdeval.models.causal.model import CausalLM

            return CausalLM(config)
        if isinstance(config, ImageClassifierConfig):
            from kdeval.models.image_classifier import ImageClassifier

            return ImageClassifier(config)
        if isinstance(config, EmbedderConfig):
            from kdeval.models.embedder import TransformersEmbedder

            return TransformersEmbedder(config)
        from kdeval.models.sequence_classifier import SequenceClassifier
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _HF_PACKAGES:
            raise
        raise MissingExtraError(feature=f"type: {config.type}", extra="hf") from error
    return SequenceClassifier(config)


def _custom(config: CustomModel, search: Sequence[Path]) -> Model:
    factory = _load(config, search)
    try:
        model = factory(**config.options)
    except KdevalError:
        raise
    except Exception as error:
        raise ModelError(
            f"{config.name}: {config.type}({', '.join(config.options)}) failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    try:
        fingerprint = getattr(model, "fingerprint", None)
    except Exception as error:
        raise ModelError(
            f"{config.name}: {config.type}.fingerprint failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(fingerprint, str):
        raise ModelError(
            f"{config.name}: {config.type} needs a property `fingerprint: str`, a digest of "
            "everything its answers depend on (see kdeval.models.protocols)"
        )
    if isinstance(model, Embedder) and not isinstance(model, (Ranker, *_ANSWERING)):
        return RankedEmbedder(model)
    if not isinstance(model, (Ranker, *_ANSWERING)):
        raise ModelError(
            f"{config.name}: {config.type} has none of classify(), score_choices(), generate(), "
            "score_texts(), log_likelihoods(), rank(), embed() "
            "(see kdeval.models.protocols)"
        )
    return model


def _load(config: CustomModel, search: Sequence[Path]) -> Any:
    if ":" not in config.type:
        found = entry_points(group=MODEL_ENTRY_POINTS, name=config.type)
        try:
            return next(iter(found)).load()
        except ImportError as error:
            raise ModelError(f"{config.name}: {config.type} cannot be imported: {error}") from error
    return import_named(config.type, what=config.name, beside="configuration", search=search)
