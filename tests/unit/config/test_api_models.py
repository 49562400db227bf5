"""Settings of models behind an API; a key in the file is refused and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeval.config.schema import load_config
from kdeval.errors import ConfigError

KEY = "sk-proj-Abc123Abc123Abc123"


def write(folder: Path, *lines: str) -> Path:
    (folder / "suite.yaml").write_text("name: s\n")
    file = folder / "kdeval.yaml"
    teacher = "".join(f"  {line}\n" for line in ("name: gpt", "type: api", *lines))
    file.write_text(
        f"suites: [suite.yaml]\nteacher:\n{teacher}students: [{{name: small, type: echo}}]\n"
    )
    return file


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"api_key: {KEY}", "api_key: a key has no place in this file"),
        (f"token: {KEY}", "token: a key has no place"),
        (f"api_key_env: {KEY}", "NAME of an environment variable"),
        ("api_key_env: AIzaSyAbc123Abc123Abc123", "NAME of an environment variable"),
        (f"api_base: https://user:{KEY}@host/v1", "without credentials"),
        (f"api_base: https://host/v1?key={KEY}", "without credentials"),
    ],
)
def test_a_key_in_the_file_is_refused_and_not_shown(tmp_path: Path, line: str, said: str) -> None:
    """With the place in the file and the way out."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "model: openai/gpt-4.1", line))
    message = str(caught.value)
    assert said in message
    assert "environment variable" in message
    assert "kdeval.yaml:" in message
    assert "Abc123" not in message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["model: gpt-4.1"], "'openai/gpt-4.1'"),
        (["model: openai/x", "api_base: localhost:8000"], "an address such as"),
        (["model: openai/x", "api_base: http://host:80000/v1"], "an address such as"),
        (["model: openai/x", "budget: 5"], "unknown key 'budget'"),
        (["model: openai/x", "max_concurrency: 0"], "max_concurrency"),
        (["model: openai/x", "generation: {stop: ['']}"], "a stop string is empty"),
        (["model: openai/x", "expires_days: -1"], "expires_days"),
        ([], "model is required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    """In the words of the file."""
    with pytest.raises(ConfigError, match=r"kdeval\.yaml:") as caught:
        load_config(write(tmp_path, *lines))
    assert said in str(caught.value)


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    """As it stands there."""
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    (tmp_path / "suite.yaml").write_text("name: s\n")
    file = tmp_path / "api.yaml"
    file.write_text(readme.partition("```yaml file=api.yaml\n")[2].partition("```")[0])
    assert load_config(file).teacher.budget_usd == 5
