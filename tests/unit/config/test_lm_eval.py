"""`lm_eval` in a configuration."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from kdeval.config.schema import RunConfig, load_config
from kdeval.errors import ConfigError

_MODELS = """
teacher: {name: t, type: echo}
students: [{name: s, type: echo, seed: 1}]
"""


def _load(directory: Path, lm_eval: str) -> RunConfig:
    file = directory / "kdeval.yaml"
    file.write_text(lm_eval + _MODELS, encoding="utf-8")
    return load_config(file)


def test_a_list_of_names_is_enough(tmp_path: Path) -> None:
    """`lm_eval: [arc_easy]` says the same as the mapping, and no suite is needed."""
    config = _load(tmp_path, "lm_eval: [arc_easy, hellaswag]")
    assert config.lm_eval is not None
    assert config.lm_eval.tasks == ["arc_easy", "hellaswag"]
    assert config.lm_eval.role == "benchmark"
    alone = _load(tmp_path, "lm_eval: arc_easy")
    assert alone.lm_eval is not None
    assert alone.lm_eval.tasks == ["arc_easy"]
    assert config.suites == []
    same = _load(tmp_path, "lm_eval: {tasks: [arc_easy, hellaswag]}")
    assert same.lm_eval == config.lm_eval


def test_include_path_is_relative_to_the_file(tmp_path: Path) -> None:
    """One directory or several; each must be there."""
    (tmp_path / "tasks").mkdir()
    config = _load(tmp_path, "lm_eval: {tasks: [mine], include_path: tasks/}")
    assert config.lm_eval is not None
    assert [Path(path) for path in config.lm_eval.include_path] == [tmp_path / "tasks"]
    with pytest.raises(ConfigError, match="no such directory 'gone'"):
        _load(tmp_path, "lm_eval: {tasks: [mine], include_path: gone}")


@pytest.mark.parametrize(
    ("lm_eval", "expected"),
    [
        ("lm_eval: []", "at least 1 item"),
        ("lm_eval: [a, a]", "'a' is listed twice"),
        ("lm_eval: {tasks: [a], limt: 3}", "did you mean 'limit'?"),
        ("lm_eval: {tasks: [a], fewshot_as_multiturn: true}", "apply_chat_template: true"),
        ("seed: 1", "give at least one suite, or lm_eval tasks"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lm_eval: str, expected: str) -> None:
    """Each mistake has words of its own, and the file and line."""
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, lm_eval)
    assert expected in str(raised.value)
    assert str(tmp_path / "kdeval.yaml:") in str(raised.value)


def test_the_json_schema_knows_both_forms() -> None:
    """An editor that checks the file accepts the list and the mapping."""
    whole = RunConfig.model_json_schema()
    schema = {**whole["properties"]["lm_eval"], "$defs": whole["$defs"]}
    jsonschema.validate(["arc_easy"], schema)
    jsonschema.validate({"tasks": ["arc_easy"], "limit": 3}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tasks": ["arc_easy"], "limt": 3}, schema)
