"""Keys never come back; and which model a name means."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest

from kdeval.config.api_models import ApiModelConfig
from kdeval.errors import ConfigError, ModelError
from kdeval.models.api.identity import alias_note, expiry_period, is_alias
from kdeval.models.api.model import ApiModel
from kdeval.models.api.reply import ChatReply
from kdeval.models.api.secret_values import SecretValues

KEY = "sq+Zk/9fA==x1Y_long"


@pytest.mark.parametrize(
    "text",
    [
        f"you sent Bearer {KEY}, go away",
        f"https://host/v1?key={quote(KEY, safe='')}&x=1",
        "Basic " + base64.b64encode(f"user:{KEY}".encode()).decode(),
        "Basic " + base64.b64encode(f"us:{KEY}:and more".encode()).decode(),
        "Basic " + base64.b64encode(f"u:{KEY}".encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    ],
)
def test_a_key_is_removed_in_every_form(text: str) -> None:
    """As it is, in a URL, in base64 at any offset; nothing of 6 letters or more is left of it."""
    cleaned = SecretValues([KEY]).removed(text)
    assert "(removed)" in cleaned
    pieces = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode())
    for piece in pieces:
        assert not any(piece[i : i + 8] in cleaned for i in range(len(piece) - 7))


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Incorrect: sk-SECRETSEC*****9abcdef", "Incorrect: (removed)*****9abcdef"),
        ("Incorrect: sk-s***A1B2C3D4E5.", "Incorrect: sk-s***(removed)."),
        ("SK-SECRETSECRETA1B2C3D4E5", "(removed)"),
        ("\u0130 sk-secretsec", "\u0130 (removed)"),
        ("nothing of it, but a secretary", "nothing of it, but a secretary"),
    ],
)
def test_what_a_server_shows_of_a_masked_key_is_removed(
    said: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning or end, in small or capital letters, in errors and in answers."""
    monkeypatch.setenv("MY_KEY", "sk-SECRETsecretA1B2C3D4E5")
    assert SecretValues.of_variable("MY_KEY").removed(said) == left
    assert SecretValues.of_environment("MY_KEY").removed(said) == left


def test_only_variables_that_are_called_like_secrets_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings such as MAX_TOKENS or TOKENIZERS_PARALLELISM stay in what is told."""
    monkeypatch.setenv("OTHER_API_KEY", "another-provider's")
    monkeypatch.setenv("MAX_TOKENS", "1234567890")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-false")
    secrets = SecretValues.of_environment(None)
    text = "another-provider's key, 1234567890 tokens, false-false"
    assert secrets.removed(text) == "(removed) key, 1234567890 tokens, false-false"


def test_an_answer_that_holds_the_key_loses_it() -> None:
    """Text, refusal and the arguments of tool calls; an answer without it is left as it is."""
    removed = SecretValues([KEY]).removed
    reply = ChatReply(
        text=f"it is {KEY}", tool_calls=({"id": "1", "name": "f", "arguments": f'{{"k":"{KEY}"}}'},)
    )
    assert KEY not in str(reply.without(removed))
    assert reply.without(removed).text == "it is (removed)"
    plain = ChatReply(text="nothing here")
    assert plain.without(removed) is plain


def config(**more: Any) -> ApiModelConfig:
    return ApiModelConfig(
        **{"name": "gpt", "type": "api", "model": "openai/gpt-4.1-2025-04-14", **more}
    )


@pytest.mark.parametrize(
    ("model", "alias"),
    [
        ("openai/gpt-4.1", True),
        ("openai/gpt-4o", True),
        ("anthropic/claude-sonnet-4-0", True),
        ("gemini/gemini-2.5-pro", True),
        ("openai/gpt-4.1-2025-04-14", False),
        ("anthropic/claude-sonnet-4-20250514", False),
        ("openai/gpt-4-0613", False),
        ("gemini/gemini-1.5-pro-002", False),
        ("vertex_ai/claude-3-5-sonnet@20240620", False),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", False),
    ],
)
def test_which_names_may_come_to_mean_another_model(model: str, alias: bool) -> None:
    """Those of a provider that carry no date or version of a snapshot."""
    assert is_alias(config(model=model)) is alias


def test_an_alias_expires_and_a_snapshot_does_not() -> None:
    """An alias's answers are asked again after 30 days at the latest; one's own server decides."""
    day = 86_400.0
    alias = config(model="openai/gpt-4.1")
    assert expiry_period(alias, 0.0) == expiry_period(alias, 29 * day)
    assert expiry_period(alias, 0.0) != expiry_period(alias, 30 * day)
    assert expiry_period(config(), 0.0) is None
    assert expiry_period(config(expires_days=1), 0.0) != expiry_period(config(expires_days=1), day)
    assert expiry_period(config(model="openai/gpt-4.1", expires_days="never"), 9 * day) is None
    own = config(model="openai/gpt-4.1", api_base="http://localhost:8000/v1")
    assert expiry_period(own, 0.0) is None


def test_an_address_of_the_environment_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the names of its variables, without what they hold."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://host:secret/v1")
    with pytest.raises(ConfigError, match="OPENAI_API_BASE or OPENAI_BASE_URL") as caught:
        ApiModel(config())
    assert "secret" not in str(caught.value)


def test_each_address_of_the_environment_makes_another_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where two are set, whichever of them litellm follows."""
    seen = set[str]()
    for base, url in (("a", ""), ("a", "b"), ("a", "c"), ("", "c")):
        for name, host in (("OPENAI_API_BASE", base), ("OPENAI_BASE_URL", url)):
            monkeypatch.setenv(name, host and f"http://{host}/v1")
        seen.add(ApiModel(config()).fingerprint)
    assert len(seen) == 4


def test_an_alias_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """That what is behind it may change; and the models that have answered, where several have."""
    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    note = alias_note(config(model="openai/gpt-4.1"), ("gpt-4.1-2025-04-14", "gpt-4.1-2026-01-01"))
    assert note is not None
    assert "names no snapshot" in note
    assert "expire in 30 days" in note
    assert "gpt-4.1-2025-04-14, gpt-4.1-2026-01-01" in note
    assert alias_note(config(), ("one",)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"model": "openai/gpt-4.1-mini-2025-04-14"},
        {"api_base": "http://other:8000/v1"},
        {"system": "Be brief."},
        {"generation": {"temperature": 0.5}},
        {"generation": {"max_new_tokens": 5}},
        {"log_probs": True},
        {"top_log_probs": 5},
        {"expires_days": 3},
    ],
)
def test_what_shapes_answers_makes_another_model(change: dict[str, Any]) -> None:
    """It is asked again."""
    assert ApiModel(config(**change)).fingerprint != ApiModel(config()).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"max_concurrency": 3},
        {"timeout_s": 5},
        {"stream": True},
        {"retries": {"attempts": 2}},
        {"budget_usd": 3},
        {"requests_per_minute": 60},
    ],
)
def test_how_it_is_asked_does_not(change: dict[str, Any]) -> None:
    """Answers stay where a limit, a budget or a name changes."""
    assert ApiModel(config(**change)).fingerprint == ApiModel(config()).fingerprint


def test_a_key_that_is_not_set_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the name of its variable."""
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ModelError, match=r"MY_KEY \(api_key_env\) is not set"):
        ApiModel(config(api_key_env="MY_KEY"))


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("sk-abc\nsk-def", "holds a line break"),
        ("sk-abcdef\n", "holds a line break"),
        (" sk-abcdef", "white space"),
        ("sk-abcd\u00e9f", "ASCII"),
        ("sk-abcd\x07f", "ASCII"),
    ],
)
def test_a_key_that_cannot_be_sent_is_told_without_showing_it(
    key: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked, by the name of its variable."""
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(ModelError, match=rf"MY_KEY \(api_key_env\) .*{problem}") as caught:
        ApiModel(config(api_key_env="MY_KEY"))
    assert "sk-abc" not in str(caught.value)


def test_a_budget_needs_a_price() -> None:
    """Where none is known the way out is named; costs of the configuration are one."""
    from kdeval.config.schema import Price

    unknown = config(model="openai/no-such-model", budget_usd=1.0)
    with pytest.raises(ConfigError, match=r"under `costs: gpt:`"):
        ApiModel(unknown)
    assert ApiModel(unknown, price=Price(usd_per_request=0.01)).price_source
