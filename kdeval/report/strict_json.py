"""Dataclasses to strict JSON: no NaN, no Infinity, nothing guessed about foreign types."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from kdeval.report.output_file import write_whole

__all__ = ["as_json", "json_text", "write_json"]


def as_json(value: Any) -> Any:
    """`value` as dicts, lists, strings, finite numbers, booleans and None.

    Raises:
        ValueError: a number is NaN or infinite; unknown is None here.
        TypeError: a value has no form in JSON.
    """
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} has no place in a document: unknown is None")
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: as_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    raise TypeError(f"a {type(value).__name__} has no form in JSON: {value!r}")


def json_text(document: Any) -> str:
    """`document`, a dataclass, as strict JSON ending in a newline."""
    text = json.dumps(as_json(document), ensure_ascii=False, indent=2, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def write_json(document: Any, path: Path, option: str = "--out") -> None:
    """`document`, a dataclass, written to `path`, whole or not at all.

    Raises:
        UsageError: it cannot be written; another `option` may be given.
    """
    write_whole(path, json_text(document), option)
