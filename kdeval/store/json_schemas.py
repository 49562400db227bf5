"""JSON Schemas: is one valid, and is a value what it asks for; nothing is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from kdeval.store.tool_calls import json_value

__all__ = ["as_schema", "schema_problem", "value_problem"]


def as_schema(value: object) -> str:
    """The schema as JSON text, its keys in the order given.

    Args:
        value: an object, or the JSON text of one.

    Raises:
        ValueError: it is none, or no valid JSON Schema.
    """
    try:
        read = json_value(value if isinstance(value, str) else json.dumps(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError(f"a JSON Schema must be an object, got {value!r:.60}")
    text = json.dumps(read, ensure_ascii=False, separators=(",", ":"))
    problem = schema_problem(text)
    if problem is not None:
        raise ValueError(f"no valid JSON Schema: {problem}")
    return text


@lru_cache(maxsize=4096)
def schema_problem(schema: str) -> str | None:
    """Why the text is no JSON Schema that answers can be held against; None where it is."""
    import jsonschema
    import referencing.exceptions
    import referencing.jsonschema

    try:
        schema.encode()
        read = json.loads(schema)
        kind = jsonschema.validators.validator_for(read, jsonschema.Draft202012Validator)
        kind.check_schema(read, format_checker=kind.FORMAT_CHECKER)
        resource = referencing.Resource.from_contents(
            read, default_specification=referencing.jsonschema.DRAFT202012
        )
        resolver = referencing.Registry().with_resource("", resource).resolver_with_root(resource)
        for reference in _references(read):
            resolver.lookup(reference)
        next(kind(read, registry=referencing.Registry()).iter_errors(None), None)
    except UnicodeEncodeError as error:
        return f"not valid Unicode ({error.reason})"
    except jsonschema.SchemaError as error:
        return f"{error.message:.120} at {error.json_path}"
    except referencing.exceptions.Unresolvable as error:
        return f"$ref {error.ref!r} leads nowhere in it; schemas elsewhere are not fetched"
    except RecursionError:
        return "a $ref leads back to itself"
    return None


def value_problem(schema: str, value: Any) -> str | None:
    """Where and why the value is not what the schema asks for; None where it is."""
    error = next(iter(_validator(schema).iter_errors(value)), None)
    return None if error is None else f"{error.json_path}: {error.message:.160}"


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    import jsonschema
    import referencing

    read = json.loads(schema)
    kind = jsonschema.validators.validator_for(read, jsonschema.Draft202012Validator)
    return kind(read, registry=referencing.Registry())


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)
