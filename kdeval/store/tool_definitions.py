"""Definitions of the functions that a model may call, as OpenAI's chat API has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from kdeval.store.json_schemas import as_schema
from kdeval.store.tool_calls import json_value

__all__ = ["as_tools", "tool_name", "tool_signature"]


def as_tools(value: object) -> tuple[str, ...]:
    """Each definition as JSON text, its keys in the order given; equal lists are one object.

    Args:
        value: a list of {"type": "function", "function": {"name", "description", "parameters"}},
            or of the inner objects alone, where `parameters` may be called `input_schema`; or the
            JSON text of such a list.

    Raises:
        ValueError: it is none, a tool has no name or the name of another, or its parameters are
            no valid JSON Schema.
    """
    try:
        return _tools(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    except (TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"no JSON: {error}") from None


def tool_name(tool: str) -> str:
    """The function's name."""
    return str(json.loads(tool)["function"]["name"])


def tool_signature(tool: str) -> str:
    """One line: "get_weather(city: string, days?: integer): What the weather will be"."""
    function = json.loads(tool)["function"]
    schema = function.get("parameters") or {}
    required = schema.get("required") or ()
    arguments = (
        f"{name}{'' if name in required else '?'}{_type(about)}"
        for name, about in (schema.get("properties") or {}).items()
    )
    told = function.get("description")
    return f"{function['name']}({', '.join(arguments)}){f': {told}' if told else ''}"


@lru_cache(maxsize=4096)
def _tools(text: str) -> tuple[str, ...]:
    text.encode()
    listed = json_value(text)
    if not isinstance(listed, list):
        raise ValueError(f"expected a list of tools, got {text[:60]!r}")
    functions = [_function(item, place) for place, item in enumerate(listed)]
    names = [function["name"] for function in functions]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two tools are called {name!r}")
    return tuple(
        json.dumps(
            {"type": "function", "function": function}, ensure_ascii=False, separators=(",", ":")
        )
        for function in functions
    )


def _function(item: Any, place: int) -> dict[str, Any]:
    inner = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(inner, Mapping):
        raise ValueError(f"tool {place} is no function's definition: {item!r:.60}")
    if inner is not item and item.get("type", "function") != "function":
        raise ValueError(f"tool {place} is of type {item['type']!r}; only functions can be offered")
    name = inner.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"tool {place} has no name: {dict(inner)!r:.60}")
    found = {key: value for key, value in inner.items() if value is not None}
    parameters = found.pop("input_schema", found.get("parameters"))
    if parameters is not None:
        try:
            found["parameters"] = json.loads(as_schema(parameters))
        except ValueError as error:
            raise ValueError(f"tool {name!r}: parameters: {error}") from None
    return found


def _type(about: Any) -> str:
    kind = about.get("type") if isinstance(about, Mapping) else None
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kind = " | ".join(map(str, kind))
    return f": {kind}" if kind else ""
