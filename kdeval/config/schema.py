"""What a run's YAML may say; `kdeval schema config` prints it as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from kdeval.config.api_models import ApiModelConfig
from kdeval.config.base import NAME_PATTERN, Named, Strict
from kdeval.config.hidden_states import HiddenStatesConfig
from kdeval.config.lm_eval import LmEvalConfig
from kdeval.config.series import SeriesConfig, check_series
from kdeval.config.token_fidelity import TokenFidelityConfig
from kdeval.config.transformers_models import (
    CausalLMConfig,
    EmbedderConfig,
    ImageClassifierConfig,
    SequenceClassifierConfig,
    TransformersConfig,
)
from kdeval.config.yaml_file import load_yaml_model, nearest
from kdeval.errors import ConfigError

__all__ = [
    "MODEL_ENTRY_POINTS",
    "ApiModelConfig",
    "CausalLMConfig",
    "CustomModel",
    "EchoModelConfig",
    "EmbedderConfig",
    "EnsembleConfig",
    "HiddenStatesConfig",
    "ImageClassifierConfig",
    "LatencyProbe",
    "LmEvalConfig",
    "ModelConfig",
    "Price",
    "RecordedColumnsConfig",
    "RecordedModelConfig",
    "RunConfig",
    "SequenceClassifierConfig",
    "SeriesConfig",
    "TokenFidelityConfig",
    "load_config",
]

MODEL_ENTRY_POINTS = "kdeval.models"
_CUSTOM = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
_BUILT_IN = (
    "sequence_classifier", "image_classifier", "causal_lm", "embedder", "recorded", "echo",
    "ensemble", "api",
)  # fmt: skip


class RecordedColumnsConfig(Strict):
    """Which column of the file holds what; a column that is not mapped is unknown, never zero."""

    id: str | None = Field(None, description="a column or a template; default: the row number")
    output: str | None = None
    tool_calls: str | None = Field(
        None,
        description="suites with tools: a list of {name, arguments}, also as OpenAI has them and "
        "as JSON; a row with an output, or where none is mapped, and no list called nothing",
    )
    choice_form: Literal["auto", "index", "letter", "text"] = Field(
        "auto", description="how recorded choices are written, where that is not plain"
    )
    first_index: Literal[0, 1] | None = Field(
        None,
        description="the number of the first choice in the file. Default: 0, and refused where "
        "only counting from 1 explains a number; 0 says that it is 0 all the same",
    )
    score: str | None = Field(None, description="the log's own mark; then no scorer is needed")
    probabilities: dict[str, str] | str | None = Field(
        None, description="label to column, or one column that holds a list or a mapping"
    )
    log_probabilities: dict[str, str] | str | None = None
    top_log_probabilities: str | None = Field(
        None,
        description="the likeliest tokens at the place that decides the answer, at temperature 1: "
        "token to natural logarithm, or a list of {token, logprob}; need not sum to one",
    )
    confidence: str | None = None
    cost_usd: str | None = None
    latency_s: str | None = None
    first_token_s: str | None = Field(None, description="seconds to the first token of a stream")
    input_tokens: str | None = None
    output_tokens: str | None = Field(
        None, description="tokens written in all, reasoning tokens included"
    )
    reasoning_tokens: str | None = None
    log_prob: str | None = Field(
        None,
        description="suites of likelihood: natural-log probability of the whole text, whose tokens "
        "`output_tokens` counts",
    )
    error: str | None = None


class RecordedModelConfig(Named):
    """Predictions that a file already holds: JSONL, CSV, CSV.gz or Parquet."""

    type: Literal["recorded"]
    path: str
    columns: RecordedColumnsConfig | None = Field(
        None, description="required, except of a file of `kdeval export`"
    )
    suite: str | None = Field(None, description="the one suite it answers; default: all")


class EchoModelConfig(Named):
    """A deterministic fake, for trying a configuration before a model is at hand."""

    type: Literal["echo"]
    text: str | None = Field(None, description="what it writes; default: the input itself")
    seed: int = 0
    fail_share: float = Field(0.0, ge=0, le=1)
    delay_s: float = Field(0.0, ge=0)


class CustomModel(Named):
    """A model of your own: any class with `fingerprint` and one of the protocols' methods."""

    type: str = Field(description='"module:Class", or the name of an installed entry point')
    options: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments; a `path` is relative to this file"
    )


def _model_tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind in _BUILT_IN else "custom"


def _check_type(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    if kind is None:
        raise ValueError(f"type is required: {', '.join(_BUILT_IN)}, or 'module:Class'")
    if kind in _BUILT_IN or re.fullmatch(_CUSTOM, str(kind)):
        return value
    installed = {entry.name for entry in entry_points(group=MODEL_ENTRY_POINTS)}
    if kind not in installed:
        hint = nearest(str(kind), installed.union(_BUILT_IN))
        raise ValueError(
            f"unknown type {kind!r}; {hint}{'' if hint.endswith('?') else '.'} "
            "A class of your own is written 'module:Class'"
        )
    return value


_SingleModel = (
    Annotated[SequenceClassifierConfig, Tag("sequence_classifier")]
    | Annotated[ImageClassifierConfig, Tag("image_classifier")]
    | Annotated[EmbedderConfig, Tag("embedder")]
    | Annotated[CausalLMConfig, Tag("causal_lm")]
    | Annotated[ApiModelConfig, Tag("api")]
    | Annotated[RecordedModelConfig, Tag("recorded")]
    | Annotated[EchoModelConfig, Tag("echo")]
    | Annotated[CustomModel, Tag("custom")]
)


class EnsembleConfig(Named):
    """Several models that answer as one."""

    type: Literal["ensemble"]
    members: list[Annotated[_SingleModel, Discriminator(_model_tag)]] = Field(
        min_length=2, description="models, each as it would stand alone; no ensembles"
    )
    combine: Literal["mean_probability", "majority"] = Field(
        "mean_probability",
        description="average the probabilities of labels or choices; or take the answer that most "
        "members give, of tied ones that of the member listed first",
    )

    @field_validator("members", mode="before")
    @classmethod
    def _member_types(cls, value: Any) -> Any:
        for item in value if isinstance(value, list) else ():
            _check_type(item)
            if isinstance(item, dict) and item.get("type") == "ensemble":
                raise ValueError("a member of an ensemble is no ensemble: list its members here")
        return value

    @model_validator(mode="after")
    def _distinct(self) -> EnsembleConfig:
        names = [member.name for member in self.members]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"members: two are called {name!r}")
        return self


ModelConfig = Annotated[
    _SingleModel | Annotated[EnsembleConfig, Tag("ensemble")], Discriminator(_model_tag)
]


_Usd = Annotated[float, Field(ge=0, le=1e9)]


class Price(Strict):
    """What a model costs; what is not given stays unknown.

    Per token, per request, or per machine-hour. Machine-hours need `requests_per_hour`, or the
    latency probe's closed-loop throughput (one request at a time) is used and said so.
    """

    usd_per_million_input_tokens: _Usd | None = None
    usd_per_million_output_tokens: _Usd | None = None
    usd_per_request: _Usd | None = None
    usd_per_hour: _Usd | None = None
    requests_per_hour: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> Price:
        tokens = (self.usd_per_million_input_tokens, self.usd_per_million_output_tokens)
        ways = [
            any(v is not None for v in tokens),
            self.usd_per_request is not None,
            self.usd_per_hour is not None,
        ]
        if sum(ways) != 1:
            raise ValueError(
                "give exactly one of: usd_per_million_input_tokens with "
                "usd_per_million_output_tokens; usd_per_request; usd_per_hour"
            )
        if ways[0] and any(v is None for v in tokens):
            raise ValueError(
                "give both usd_per_million_input_tokens and usd_per_million_output_tokens "
                "(0 where it is free)"
            )
        if self.requests_per_hour is not None and self.usd_per_hour is None:
            raise ValueError("requests_per_hour goes with usd_per_hour")
        return self


class LatencyProbe(Strict):
    """A closed loop at batch 1 over the suites' own inputs, all models in turn."""

    requests: int = Field(
        100, ge=8, description="measured requests of each model; a smaller run's samples once each"
    )
    warmup: int = Field(4, ge=0, description="before measuring, in each command that does")


class RunConfig(Strict):
    """One teacher, any number of students, the suites to ask, what they cost, and a seed."""

    schema_version: Literal[1] = 1
    name: str | None = Field(None, pattern=NAME_PATTERN)
    seed: int = 0
    confidence: float = Field(0.95, gt=0.5, lt=1, description="two-sided, of every interval")
    suites: list[str] = Field(
        default_factory=list, description="suite files, relative to this file"
    )
    lm_eval: LmEvalConfig | None = Field(
        None, description="lm-eval tasks, beside the suites or alone; a list: just their names"
    )
    teacher: ModelConfig
    students: list[ModelConfig] = Field(min_length=1)
    costs: dict[str, Price] = Field(
        default_factory=dict,
        description="model name to its price; also of an ensemble's member of type: api",
    )
    cache: str | None = Field(
        None,
        description="a directory of answers that runs share, relative to this file; --cache and "
        "KDEVAL_CACHE come first",
    )
    latency_probe: LatencyProbe | Literal[False] = Field(
        LatencyProbe(),
        description="takes models in turns: all are in memory; false: one after the other is",
    )
    distillation_temperature: float = Field(
        2.0, gt=0, le=100, description="KL and the like are reported at 1 and at this temperature"
    )
    token_fidelity: TokenFidelityConfig | None = Field(
        None, description="compare causal_lm models token by token; true: with the defaults"
    )
    hidden_states: HiddenStatesConfig | None = Field(
        None, description="compare open models layer by layer; true: with the defaults"
    )
    series: list[SeriesConfig] = Field(
        default_factory=list,
        description="models that belong together: checkpoints, chain, ladder, labels",
    )

    @field_validator("teacher", mode="before")
    @classmethod
    def _teacher_type(cls, value: Any) -> Any:
        return _check_type(value)

    @field_validator("students", mode="before")
    @classmethod
    def _student_types(cls, value: Any) -> Any:
        if isinstance(value, list):
            for item in value:
                _check_type(item)
        return value

    @field_validator("latency_probe", mode="before")
    @classmethod
    def _probe(cls, value: Any) -> Any:
        return LatencyProbe() if value is True else value

    @field_validator("token_fidelity", mode="before")
    @classmethod
    def _token_fidelity(cls, value: Any) -> Any:
        if value is True:
            return TokenFidelityConfig()
        return None if value is False else value

    @field_validator(
        "lm_eval", mode="before", json_schema_input_type=LmEvalConfig | list[str] | str | None
    )
    @classmethod
    def _lm_eval(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"tasks": [value]}
        return {"tasks": value} if isinstance(value, list) else value

    @field_validator("hidden_states", mode="before")
    @classmethod
    def _hidden_states(cls, value: Any) -> Any:
        if value is True:
            return HiddenStatesConfig()
        return None if value is False else value

    @model_validator(mode="after")
    def _names(self) -> RunConfig:
        names = [model.name for model in self.models]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are called {name!r}: give each a name of its own")
        members = {one.name for one in _singles(self.models) if isinstance(one, ApiModelConfig)}
        for name in self.costs:
            if name not in members.union(names):
                raise ValueError(f"costs: there is no model {name!r}; {nearest(name, names)}")
        if not self.suites and self.lm_eval is None:
            raise ValueError("suites: give at least one suite, or lm_eval tasks")
        if len(set(self.suites)) < len(self.suites):
            raise ValueError("suites: a suite is listed twice")
        check_series(self.series, teacher=self.teacher.name, students=names[1:])
        return self

    @property
    def models(self) -> tuple[Any, ...]:
        """The teacher first, then the students."""
        return (self.teacher, *self.students)


def load_config(path: str | Path, *, live: Collection[str] = ()) -> RunConfig:
    """The configuration at `path`, its relative paths made absolute.

    Args:
        path: the YAML file.
        live: models that will be there in memory: their paths need not exist.

    Raises:
        ConfigError: listing every problem with its file and line.
    """
    path = Path(path)
    config = load_yaml_model(path, RunConfig)
    base = path.resolve().parent
    suites = [str(base / suite) for suite in config.suites]
    problems = [
        f"{path}: suites: no such file {name!r} (looked for {file})"
        for name, file in zip(config.suites, suites, strict=True)
        if not Path(file).is_file()
    ]
    problems.extend(
        f"{path}: {model.name}: no such path {given!r} (looked for {base / given})"
        for model in _singles(config.models)
        if model.name not in live
        for given in _paths(model).values()
        if not (base / given).exists()
    )
    problems.extend(
        f"{path}: lm_eval: include_path: no such directory {given!r} (looked for {base / given})"
        for given in (config.lm_eval.include_path if config.lm_eval else ())
        if not (base / given).is_dir()
    )
    names = [model.name for model in config.models]
    problems.extend(
        f"{path}: there is no model {name!r} to be trained; {nearest(name, names)}"
        for name in live
        if name not in names
    )
    if problems:
        raise ConfigError(problems)
    return config.model_copy(
        update={
            "name": config.name or path.stem,
            "suites": suites,
            "cache": None if config.cache is None else str(base / Path(config.cache).expanduser()),
            "lm_eval": None if config.lm_eval is None else config.lm_eval.relative_to(base),
            "teacher": _absolute(config.teacher, base),
            "students": [_absolute(student, base) for student in config.students],
        }
    )


def _singles(models: Iterable[Any]) -> Iterator[Any]:
    """The models, an ensemble's members in its place."""
    for model in models:
        yield from model.members if isinstance(model, EnsembleConfig) else (model,)


def _paths(model: Any) -> dict[str, str]:
    """Setting to path, of those that are files or directories of the user's."""
    if isinstance(model, CausalLMConfig) and model.tokenizer is not None:
        return {"path": model.path, "tokenizer": model.tokenizer}
    if isinstance(model, (RecordedModelConfig, TransformersConfig)):
        return {"path": model.path}
    return {}


def _absolute(model: Any, base: Path) -> Any:
    if isinstance(model, EnsembleConfig):
        members = [_absolute(member, base) for member in model.members]
        return model.model_copy(update={"members": members})
    if isinstance(model, CustomModel) and isinstance(model.options.get("path"), str):
        options = {**model.options, "path": str(base / model.options["path"])}
        return model.model_copy(update={"options": options})
    paths = {name: str(base / given) for name, given in _paths(model).items()}
    return model.model_copy(update=paths) if paths else model
