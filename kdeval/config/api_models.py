"""Settings of models that are asked through an API."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from kdeval.config.base import Named, Strict

__all__ = ["ApiGeneration", "ApiModelConfig", "ApiRetries"]

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LITERAL_KEYS = ("api_key", "key", "token", "api_token", "authorization", "headers")
_ADDRESS = "api_base: give an address such as http://host:8000/v1"
_WAY_OUT = "put the key into an environment variable, and name the variable: `api_key_env: MY_KEY`"


class ApiGeneration(Strict):
    """How an API's model is asked to write; null leaves a setting to the API."""

    max_new_tokens: int = Field(
        1024, ge=1, description="where the suite says nothing else; reasoning tokens count"
    )
    temperature: float | None = Field(
        0.0, ge=0, description="null where the model takes none, as many reasoning models"
    )
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = None
    stop: list[str] = Field(default_factory=list, description="beside those of the suite")
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = None

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, value: list[str]) -> list[str]:
        if "" in value:
            raise ValueError("a stop string is empty")
        return value


class ApiRetries(Strict):
    """When a request that failed is given up: at whichever of the two comes first."""

    attempts: int = Field(8, ge=1, description="how often a request is sent at most")
    total_s: float = Field(600.0, gt=0, description="seconds from the first attempt to the last")


class ApiModelConfig(Named):
    """A model behind an API, asked through litellm."""

    type: Literal["api"]
    model: str = Field(
        min_length=1, description='litellm\'s name, with the provider: "openai/gpt-4.1-2025-04-14"'
    )
    api_base: str | None = Field(None, description="of a server of your own: http://host:8000/v1")
    api_key_env: str | None = Field(
        None,
        description="name of the environment variable that holds the key; default: the provider's "
        "own, and none (a placeholder) where api_base is given",
    )
    system: str | None = Field(None, description="system prompt, where the suite gives none")
    generation: ApiGeneration = ApiGeneration()
    log_probs: bool = Field(False, description="ask for the log-probabilities of what is written")
    top_log_probs: int = Field(
        0, ge=0, le=20, description="and of so many likeliest tokens: probabilities of answers"
    )
    stream: bool = Field(False, description="tells the time to the first token")
    max_concurrency: int = Field(8, ge=1, le=1024, description="requests in the air at a time")
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1, description="read and written together")
    timeout_s: float = Field(120.0, gt=0, description="of an attempt, to the last byte")
    stall_s: float = Field(60.0, gt=0, description="of a stream, to the next piece")
    retries: ApiRetries = ApiRetries()
    budget_usd: float | None = Field(
        None, gt=0, description="the run stops before it spends more on this model"
    )
    expires_days: Annotated[float, Field(gt=0)] | Literal["never"] | None = Field(
        None,
        description="answers older than this are asked again; default: never, and 30 for a "
        "provider's alias, such as openai/gpt-4.1, that names no snapshot",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, value: Any) -> Any:
        """Over the whole mapping, because a message about one setting would show its value."""
        if isinstance(value, dict):
            for name in _LITERAL_KEYS:
                if name in value:
                    raise ValueError(f"{name}: a key has no place in this file; {_WAY_OUT}")
            _check_variable(value.get("api_key_env"))
            _check_address(value.get("api_base"))
        return value

    @model_validator(mode="after")
    def _fits(self) -> ApiModelConfig:
        if "/" not in self.model:
            raise ValueError(
                f"model: say the provider too, as litellm writes it: 'openai/{self.model}'"
            )
        return self


def _check_variable(value: object) -> None:
    if value is not None and not (isinstance(value, str) and _VARIABLE.fullmatch(value)):
        raise ValueError(
            "api_key_env: give the NAME of an environment variable, in capitals (what stands "
            f"there is not shown: it may be the key itself); {_WAY_OUT}"
        )


def _check_address(value: object) -> None:
    if not isinstance(value, str):
        return
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.netloc != "" and parts.port != 0
    except ValueError:  # a port that is none, or half an IPv6 address
        raise ValueError(_ADDRESS) from None
    if "@" in parts.netloc or parts.query:
        raise ValueError(f"api_base: give it without credentials and without ?...; {_WAY_OUT}")
    if not whole:
        raise ValueError(_ADDRESS)
