"""The header tells where an artefact comes from, and no secret."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from kdeval.run.header import build_header
from kdeval.run.secrets import redacted, without_secrets


def test_secrets_go_by_name_and_by_form() -> None:
    """Names that mean a secret, and values that look like one, at any depth."""
    found = without_secrets(
        {
            "api_key": "abc",
            "nested": {"hf_token": "x", "password": "y", "list": ["sk-abcdefghijklmnop1234"]},
            "url": "https://user:hunter2@example.org/x",
            "header": "Authorization: Bearer abc.def",
            "tokenizer": "wordpiece",
            "input_tokens": "prompt_tokens",
            "max_length": 5,
        }
    )
    assert found == {
        "api_key": "(removed)",
        "nested": {"hf_token": "(removed)", "password": "(removed)", "list": ["(removed)"]},
        "url": "https://(removed)@example.org/x",
        "header": "Authorization: Bearer (removed)",
        "tokenizer": "wordpiece",
        "input_tokens": "prompt_tokens",
        "max_length": 5,
    }


@pytest.mark.parametrize(
    "arguments",
    [["--api-key", "s3cret"], ["--api-key=s3cret"], ["--x", "sk-s3cretabcdefghijk"]],
)
def test_the_command_line_is_cleaned(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """The command is kept so that it can be repeated, without what must not be kept."""
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/kdeval", "run", "c.yaml", *arguments])
    header = build_header(seed=1, models={}, suites={})
    assert header.command is not None
    assert header.command.startswith("kdeval run c.yaml")
    assert "s3cret" not in header.command
    assert json.loads(json.dumps(asdict(header)))["versions"]["python"]


def test_messages_of_libraries_are_cleaned() -> None:
    """An exception may quote the request that failed."""
    text = (
        "401 for https://user:hunter2@host/x?token=abc999&page=2 with "
        'Authorization: Bearer abc.def-123 api_key=\'hunter3\' {"password": "hunter4"}'
    )
    found = redacted(text)
    for secret in ("hunter2", "abc999", "abc.def", "hunter3", "hunter4"):
        assert secret not in found
    assert "page=2" in found
    assert redacted("took 12 tokens: 3 in, 9 out") == "took 12 tokens: 3 in, 9 out"
