"""The models that lm-eval's `--model_args` may name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdeval.config.schema import CausalLMConfig, load_config
from kdeval.config.yaml_file import nearest
from kdeval.errors import UsageError
from kdeval.models.protocols import Model
from kdeval.models.resolver import build_model

__all__ = ["model_from_args"]

_WAYS = (
    "--model kdeval takes path=<directory or .gguf file>, with dtype, device, batch_size and the "
    "other settings of a causal_lm; or config=<kdeval.yaml>,model=<name>"
)


def model_from_args(args: Mapping[str, Any]) -> tuple[str, Model]:
    """(what to call the model, the model).

    Args:
        args: `config` and `model`: a model of a kdeval configuration, by name; or `path`, which
            may be called `pretrained`, with settings of a causal_lm.

    Raises:
        UsageError: they name no model.
        KdevalError: the model cannot be loaded.
    """
    given = {key: value for key, value in args.items() if key != "trust_remote_code"}
    if "config" in given:
        return _configured(given)
    if "pretrained" in given:
        given.setdefault("path", given.pop("pretrained"))
    if "path" not in given:
        raise UsageError(f"{_WAYS}; got {', '.join(given) or 'nothing'}")
    path = str(given.pop("path"))
    if not Path(path).exists():
        raise UsageError(
            f"path={path}: no such directory or file; kdeval loads models from disk: download it "
            "first, for example with `hf download`"
        )
    name = Path(path).resolve().name
    if isinstance(written := given.get("generation", {}), Mapping):
        given["generation"] = {"reasoning_tags": None, **written}  # lm-eval keeps reasoning
    try:
        config = CausalLMConfig.model_validate(
            {**given, "name": "kdeval", "type": "causal_lm", "path": path}
        )
    except ValidationError as error:
        raise UsageError("; ".join(map(_problem, error.errors()))) from None
    return name, build_model(config)


def _configured(given: Mapping[str, Any]) -> tuple[str, Model]:
    unknown = set(given) - {"config", "model", "batch_size", "device"}
    if unknown or "model" not in given:
        raise UsageError(
            f"{_WAYS}; beside config got {', '.join(sorted(set(given) - {'config'})) or 'nothing'}"
        )
    path, name = Path(str(given["config"])), str(given["model"])
    run = load_config(path)
    models = {model.name: model for model in run.models}
    if name not in models:
        raise UsageError(f"{path} has no model {name!r}; {nearest(name, models)}")
    changes = {key: given[key] for key in ("batch_size", "device") if key in given}
    config = models[name]
    known = {key: value for key, value in changes.items() if key in type(config).model_fields}
    search = (path.resolve().parent, Path.cwd())
    return name, build_model(config.model_copy(update=known), search=search, prices=run.costs)


def _problem(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        valid = set(CausalLMConfig.model_fields) - {"name", "type"}
        return f"--model_args: there is no {where!r}; {nearest(where, valid)}"
    return f"--model_args: {where}={error['input']!r}: {error['msg']}"
