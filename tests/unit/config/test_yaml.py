"""A configuration is right, or every error in it is told at once with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.config.schema import CustomModel, load_config
from kdeval.errors import ConfigError

_GOOD = """\
suites: [suite.yaml]
teacher: {name: t, type: echo}
students:
  - {name: s, type: "my_models:Mine", options: {path: weights}}
costs:
  t: {usd_per_hour: 2}
"""


def _write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "suite.yaml").write_text("name: x\n")
    file = tmp_path / "kdeval.yaml"
    file.write_text(text)
    return file


def _problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(_write(tmp_path, text))
    return caught.value.problems


def test_a_directory_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory: name the YAML file in it"):
        load_config(tmp_path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Suites, model paths and a custom model's `path` option."""
    config = load_config(_write(tmp_path, _GOOD))
    assert config.suites == [str(tmp_path / "suite.yaml")]
    assert isinstance(config.students[0], CustomModel)
    assert config.students[0].options == {"path": str(tmp_path / "weights")}
    assert config.name == "kdeval"


def test_all_errors_come_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    """Three errors in three places are three lines."""
    text = _GOOD.replace("costs", "cots").replace("type: echo", "type: ecco") + "sede: 1\n"
    problems = _problems(tmp_path, text)
    assert [problem.split(":")[1] for problem in problems] == ["2", "5", "7"]
    assert "unknown type 'ecco'; did you mean 'echo'?" in problems[0]
    assert "unknown key 'cots' in the file; did you mean 'costs'?" in problems[1]
    assert "did you mean 'seed'?" in problems[2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("t: {usd_per_hour: 2}", "t: {usd_per_hour: 2, usd_per_request: 1}"), "exactly one of"),
        (("t: {usd_per_hour: 2}", "q: {usd_per_hour: 2}"), "there is no model 'q'"),
        (("name: s,", "name: t,"), "two models are called 't'"),
        (("suites: [suite.yaml]", "suites: [gone.yaml]"), "no such file 'gone.yaml'"),
        (("suites: [suite.yaml]", "suites: []"), "give at least one suite, or lm_eval tasks"),
        (("type: echo", "type: echo, type: echo"), "key 'type' is given twice"),
        (("type: echo", "type: recorded, path: p.csv, columns: {outptu: x}"), "'output'?"),
        (("type: echo", "type: sequence_classifier, path: gone"), "no such path 'gone'"),
        (("usd_per_hour: 2", "usd_per_request: 1e400"), "costs.t.usd_per_request: input should be"),
        (("usd_per_hour: 2", "usd_per_hour: .nan"), "costs.t.usd_per_hour: input should be"),
        (("usd_per_hour: 2", "usd_per_request: 1.0e+300"), "than or equal to 1000000000"),
        (("path: weights", "rate: [1, -.inf]"), ":4: students.0.options.rate.1: give a finite"),
        ((_GOOD, ""), "an empty file"),
        ((_GOOD, "- 1"), "expected a mapping"),
        ((_GOOD, "a: [1"), "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    """Each mistake has words of its own, and the file's name."""
    problems = _problems(tmp_path, _GOOD.replace(*change))
    assert any(expected in problem for problem in problems), problems
    assert all(str(tmp_path / "kdeval.yaml") in problem for problem in problems)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """No traceback, just the path."""
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "nothing.yaml")
