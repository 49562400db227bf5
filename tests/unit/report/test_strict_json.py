from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from kdeval.report.strict_json import as_json, json_text, write_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    name: str
    values: tuple[float | None, ...]


def test_a_dataclass_becomes_plain_json() -> None:
    """Tuples are lists, mappings are objects, None is null."""
    thing = {"a": Thing(name="x", values=(1.0, None)), "b": MappingProxyType({"k": 1})}
    assert as_json(thing) == {"a": {"name": "x", "values": [1.0, None]}, "b": {"k": 1}}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused(bad: float) -> None:
    """Unknown is null: NaN in a document would be a fault of ours."""
    with pytest.raises(ValueError, match="unknown is None"):
        as_json(Thing(name="x", values=(bad,)))


def test_a_foreign_type_is_refused() -> None:
    """Nothing is guessed about a type that JSON does not know."""
    with pytest.raises(TypeError, match="a set has no form in JSON"):
        as_json({"a": {1}})


def test_hostile_text_survives_the_file(tmp_path: Path) -> None:
    """Lone surrogates and controls are escaped, and read back as they were."""
    hostile = "\ud800 \x00 </script> \u2028"
    write_json(Thing(name=hostile, values=()), tmp_path / "deep" / "thing.json")
    text = (tmp_path / "deep" / "thing.json").read_text(encoding="utf-8")
    assert json.loads(text)["name"] == hostile
    assert json_text(Thing(name="x", values=())).endswith("}\n")
