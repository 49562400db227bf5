"""A YAML file checked against a pydantic model; every problem with its file and line."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from kdeval.errors import ConfigError

__all__ = ["as_plain", "load_yaml_model", "nearest"]

Loaded = TypeVar("Loaded", bound=BaseModel)
_Location = tuple[int | str, ...]


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice instead of keeping the last one."""


def _mapping_without_duplicates(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node)
        line = key_node.start_mark.line + 1
        if isinstance(key, (dict, list)):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be plain text", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"key {key!r} is given twice (first in line {seen[key]})",
                key_node.start_mark,
            )
        seen[key] = line
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_duplicates)


def nearest(name: str, valid: Iterable[str], *, most: int = 12, likeness: float = 0.6) -> str:
    """Words that name the valid choice closest to `name`, or `most` of all, for a message.

    Args:
        name: what was given.
        valid: what could have been.
        most: how many of them are named where none is close.
        likeness: how close the closest must be; higher where there are thousands.
    """
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=likeness)
    if close:
        return f"did you mean {close[0]!r}?"
    if not valid:
        return "there are none to choose from"
    shown = ", ".join(valid[:most]) + (", ..." if len(valid) > most else "")
    return f"valid: {shown}"


def load_yaml_model(path: str | Path, model: type[Loaded]) -> Loaded:
    """The file at `path` as a `model`.

    Raises:
        ConfigError: the file is missing, is no YAML, or breaks the model; every problem is in
            `problems`, each starting with "file:line:".
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a directory: name the YAML file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    try:
        loader = _UniqueKeyLoader(text)
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ConfigError(_yaml_problem(path, error)) from error
    if root is None or not isinstance(data, dict):
        raise ConfigError(f"{path}:1: expected a mapping of keys to values, got {_kind(data)}")
    try:
        loaded = model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_problems(path, root, model, error)) from error
    endless = [
        f"{path}:{_line(root, location)}: {'.'.join(map(str, location))}: give a finite number"
        for location in _not_finite(data)
    ]
    if endless:
        raise ConfigError(endless)
    return loaded


def _not_finite(value: object, location: _Location = ()) -> Iterator[_Location]:
    """Where infinities and NaN stand, which no artefact can hold; in settings of any type."""
    if isinstance(value, float) and not math.isfinite(value):
        yield location
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(inner, (*location, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _not_finite(inner, (*location, index))


def _kind(data: object) -> str:
    return "an empty file" if data is None else type(data).__name__


def _yaml_problem(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = 1 if mark is None else mark.line + 1
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{path}:{line}: not valid YAML: {problem}"


def _problems(
    path: Path, root: yaml.Node, model: type[BaseModel], error: ValidationError
) -> list[str]:
    found: dict[str, int] = {}
    for item in error.errors(include_url=False):
        location = item["loc"]
        line = _line(root, location)
        name = ".".join(str(part) for part in _without_union_tags(root, location)) or "the file"
        if item["type"] == "extra_forbidden":
            key = str(location[-1])
            hint = nearest(key, _valid_keys(model, location[:-1]))
            message = f"unknown key {key!r} in {_parent(name)}; {hint}"
        elif item["type"] == "missing":
            message = f"{name} is required"
        else:
            text = item["msg"].removeprefix("Value error, ")
            message = f"{name}: {text[0].lower() + text[1:]}{_given(item['input'])}"
        found.setdefault(f"{path}:{line}: {message}", line)
    return sorted(found, key=lambda problem: (found[problem], problem))


def _given(value: object) -> str:
    if isinstance(value, (dict, list, tuple)) or value is None:
        return ""
    return f" (got {str(value)[:60]!r})"


def _parent(name: str) -> str:
    return name.rsplit(".", 1)[0] if "." in name else "the file"


def _child(node: yaml.Node, part: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """The (key node, value node) of that part below `node`, or None."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == str(part):
                return key_node, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _line(root: yaml.Node, location: _Location) -> int:
    node, line = root, root.start_mark.line + 1
    for part in location:
        found = _child(node, part)
        if found is not None:
            line, node = found[0].start_mark.line + 1, found[1]
    return line


def _without_union_tags(root: yaml.Node, location: _Location) -> Iterable[int | str]:
    """The parts of a location that stand in the file; pydantic adds the tag of a union member."""
    node = root
    for index, part in enumerate(location):
        found = _child(node, part)
        if found is not None:
            node = found[1]
            yield part
        elif index == len(location) - 1:
            yield part


def _valid_keys(model: type[BaseModel], location: _Location) -> set[str]:
    """Keys that the models reached by `location` accept."""
    reached: list[type[BaseModel]] = [model]
    for part in location:
        following: list[type[BaseModel]] = []
        for item in reached:
            field = item.model_fields.get(str(part)) or next(
                (f for f in item.model_fields.values() if f.alias == part), None
            )
            if field is not None:
                following.extend(_models_in(field.annotation))
        tagged = [item for item in reached if _tag(item) == part or item.__name__ == part]
        reached = following or tagged or reached
    keys: set[str] = set()
    for item in reached:
        keys.update(field.alias or name for name, field in item.model_fields.items())
    return keys


def _tag(model: type[BaseModel]) -> object:
    field = model.model_fields.get("type")
    options = typing.get_args(field.annotation) if field is not None else ()
    return options[0] if options else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_args(annotation):
        return [m for argument in typing.get_args(annotation) for m in _models_in(argument)]
    return []


def as_plain(model: BaseModel) -> Mapping[str, Any]:
    """The settings that differ from their defaults, as JSON-ready values."""
    return model.model_dump(mode="json", exclude_defaults=True, by_alias=True)
