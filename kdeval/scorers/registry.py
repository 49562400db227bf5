"""From what a suite says under `scorers` to the scorers: built in, or "module:Class"."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kdeval.config.imports import import_named
from kdeval.config.yaml_file import nearest
from kdeval.errors import ConfigError
from kdeval.records import Kind
from kdeval.scorers.bleu import Bleu
from kdeval.scorers.classes import MacroF1, MatthewsCorrelation
from kdeval.scorers.exact import ExactMatch
from kdeval.scorers.json_fields import JsonFields
from kdeval.scorers.json_schema import JsonSchema
from kdeval.scorers.label import LabelScorer
from kdeval.scorers.multiple_choice import MultipleChoice
from kdeval.scorers.numeric import Numeric
from kdeval.scorers.pass_at_k import PassAtK
from kdeval.scorers.perplexity import BitsPerByte, Perplexity
from kdeval.scorers.protocol import Scorer
from kdeval.scorers.ranking import Ndcg, RecallAtK
from kdeval.scorers.recorded_score import RecordedScore
from kdeval.scorers.rouge import Rouge1, Rouge2, RougeL
from kdeval.scorers.token_f1 import TokenF1
from kdeval.scorers.tool_call import ToolCallF1, ToolCallMatch
from kdeval.scorers.wer import WordErrorRate

__all__ = ["BUILT_IN", "default_scorers", "resolve_scorer", "resolve_scorers"]

BUILT_IN: Mapping[str, type[Any]] = {
    "label": LabelScorer,
    "exact": ExactMatch,
    "multiple_choice": MultipleChoice,
    "numeric": Numeric,
    "token_f1": TokenF1,
    "rouge1": Rouge1,
    "rouge2": Rouge2,
    "rougeL": RougeL,
    "json_fields": JsonFields,
    "json_schema": JsonSchema,
    "tool_call": ToolCallMatch,
    "tool_call_f1": ToolCallF1,
    "macro_f1": MacroF1,
    "mcc": MatthewsCorrelation,
    "wer": WordErrorRate,
    "perplexity": Perplexity,
    "bits_per_byte": BitsPerByte,
    "ndcg": Ndcg,
    "recall": RecallAtK,
    "bleu": Bleu,
    "recorded_score": RecordedScore,
}
_NESTED = "pass_at_k"
_ALSO_CALLED: Mapping[str, str] = {"score": "recorded_score"}
"""Other names, such as that of the column the scores come from."""
_DEFAULT: Mapping[Kind, str] = {
    "classification": "label",
    "multiple_choice": "multiple_choice",
    "extraction": "json_fields",
    "likelihood": "perplexity",
    "retrieval": "ndcg",
}
_NOT_OF_TEXTS = frozenset(
    ("label", "multiple_choice", "macro_f1", "mcc", "perplexity", "bits_per_byte", "ndcg", "recall")
)
"""Those that need labels or choices, or belong to a kind of their own."""


def resolve_scorer(spec: str | Mapping[str, Any], *, search: Sequence[Path] = ()) -> Scorer:
    """The scorer that `spec` names.

    Args:
        spec: "label"; {"type": "numeric", "relative_tolerance": 0.01}; or the same with the
            "module:Class" of a scorer of your own, whose options are its keyword arguments.
        search: directories where that module may lie, beside sys.path.

    Raises:
        ConfigError: an unknown name or option, or a value that the option does not take.
    """
    options = {"type": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("type", None)
    if not isinstance(name, str):
        raise ConfigError(
            f"scorer {spec!r} has no type; valid: {', '.join(_names())} or 'module:Class'"
        )
    if ":" in name:
        return _custom(name, options, search)
    if name == _NESTED:
        return _pass_at_k(options, search)
    name = _ALSO_CALLED.get(name, name)
    if name not in BUILT_IN:
        names = (*BUILT_IN, _NESTED, *_ALSO_CALLED)
        hint = nearest(name, names, most=len(names))
        raise ConfigError(
            f"unknown scorer {name!r}; {hint}{'' if hint.endswith('?') else '.'} "
            "A scorer of your own is written 'module:Class'"
        )
    factory = BUILT_IN[name]
    _check_names(name, factory, options)
    return _validated(name, factory, options)


def resolve_scorers(
    specs: Sequence[str | Mapping[str, Any]], *, search: Sequence[Path] = ()
) -> tuple[Scorer, ...]:
    """All of them.

    Raises:
        ConfigError: listing every spec that is wrong, and metric names that come twice.
    """
    problems: list[str] = []
    scorers: list[Scorer] = []
    for spec in specs:
        try:
            scorers.append(resolve_scorer(spec, search=search))
        except ConfigError as error:
            problems.extend(error.problems)
    names = [scorer.metric.name for scorer in scorers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            f"two scorers have the metric name {name!r}; give one another with "
            f"{{type: ..., name: {name}_2}}"
        )
    if problems:
        raise ConfigError(problems)
    return tuple(scorers)


def default_scorers(kind: Kind) -> tuple[str, ...]:
    """The scorers of a suite of that kind that names none.

    Raises:
        ConfigError: generation, which has no natural one.
    """
    if kind not in _DEFAULT:
        names = (name for name in _names() if name not in _NOT_OF_TEXTS)
        raise ConfigError(
            f"a {kind} suite with a reference must name its scorers; valid: {', '.join(names)}"
        )
    return (_DEFAULT[kind],)


def _names() -> tuple[str, ...]:
    """What a suite may write, each scorer once, as the documentation calls it."""
    called = {name: other for other, name in _ALSO_CALLED.items()}
    return (*(called.get(name, name) for name in BUILT_IN), _NESTED)


def _pass_at_k(options: dict[str, Any], search: Sequence[Path]) -> Scorer:
    """The scorer around another: {type: pass_at_k, k: 5, scorer: numeric}."""
    inner = resolve_scorer(options.pop("scorer", "exact"), search=search)
    _check_names(_NESTED, PassAtK, options)
    k, name = options.get("k", 1), options.get("name")
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ConfigError(f"scorer {_NESTED!r}: k must be a whole number from 1, got {k!r}")
    if name is not None and not isinstance(name, str):
        raise ConfigError(f"scorer {_NESTED!r}: name must be a text, got {name!r}")
    return PassAtK(scorer=inner, k=k, name=name)


def _check_names(name: str, factory: Callable[..., Scorer], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    valid = [parameter.name for parameter in parameters]
    unknown = [option for option in options if option not in valid]
    if unknown:
        raise ConfigError(
            f"scorer {name!r} has no option {', '.join(map(repr, unknown))}; "
            f"valid: {', '.join(valid) or 'it has none'}"
        )


def _validated(name: str, factory: type[Any], options: Mapping[str, Any]) -> Scorer:
    """A built-in scorer, its options checked against the types of its fields."""
    try:
        scorer: Scorer = TypeAdapter[Any](factory).validate_python(options)
        return scorer
    except ValidationError as error:
        raise ConfigError(
            [
                f"scorer {name!r}: {'.'.join(map(str, item['loc'])) or 'options'}: "
                f"{item['msg'].removeprefix('Value error, ')}"
                for item in error.errors(include_url=False)
            ]
        ) from error


def _custom(name: str, options: Mapping[str, Any], search: Sequence[Path]) -> Scorer:
    factory = import_named(name, what=f"scorer {name!r}", beside="suite", search=search)
    _check_names(name, factory, options)
    try:
        scorer = factory(**options)
    except Exception as error:
        raise ConfigError(f"scorer {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(scorer, Scorer):
        raise ConfigError(
            f"scorer {name!r} needs a property `metric` and a method `score(sample, response)` "
            "(see kdeval.scorers.protocol)"
        )
    return scorer
