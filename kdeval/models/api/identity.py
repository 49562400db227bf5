"""Which model an API's name means: by whom it is served, and whether that may change."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from kdeval.config.api_models import ApiModelConfig
from kdeval.errors import ConfigError

__all__ = ["alias_note", "expiry_period", "is_alias", "served_from"]

ALIAS_DAYS = 30.0
_DAY_S = 86_400.0
_SNAPSHOT = re.compile(
    r"\d{4}-\d{2}-\d{2}|(?<!\d)20\d{6}(?!\d)|[-@](?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?!\d)"
    r"|-\d{3}$|-v\d+(?::\d+)?$|-\d{2}-20\d{2}$"
)


def served_from(config: ApiModelConfig) -> str | None:
    """Host and path of the server; None: the provider's own.

    Addresses that the environment sets for the provider count too, since litellm follows one of
    them: which one, where there are two, differs between providers, so both are told.

    Raises:
        ConfigError: one of them is none.
    """
    provider = config.model.partition("/")[0].upper()
    named = (f"{provider}_API_BASE", f"{provider}_BASE_URL")
    told = [os.environ[name] for name in named if os.environ.get(name)]
    addresses = told if config.api_base is None else [config.api_base]
    try:
        return ", ".join(dict.fromkeys(map(_place, addresses))) or None
    except ValueError:
        raise ConfigError(
            f"{config.name}: what the environment says in {' or '.join(named)} is no address such "
            "as http://host:8000/v1"
        ) from None


def _place(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}{parts.path.rstrip('/')}"


def is_alias(config: ApiModelConfig) -> bool:
    """Whether the name may come to mean another model: a provider's, without a snapshot's date."""
    return served_from(config) is None and _SNAPSHOT.search(config.model) is None


def expiry_period(config: ApiModelConfig, now: float) -> int | None:
    """Number of the period that `now` is in; None: answers do not expire.

    Periods are counted from 1970 and are as long as an answer may live, so that no answer is ever
    used that is older; some are asked again sooner.

    Args:
        config: of the model; without `expires_days` an alias expires after 30 days.
        now: seconds since 1970.
    """
    days = config.expires_days
    if days is None:
        days = ALIAS_DAYS if is_alias(config) else None
    return None if days is None or days == "never" else int(now / (days * _DAY_S))


def alias_note(config: ApiModelConfig, served: tuple[str, ...]) -> str | None:
    """That the name may come to mean another model, and which models have answered."""
    several = f"answered by {len(served)} models: {', '.join(sorted(served))}"
    if not is_alias(config):
        return several if len(served) > 1 else None
    days = ALIAS_DAYS if config.expires_days is None else config.expires_days
    until = (
        "its answers never expire" if days == "never" else f"its answers expire in {days:g} days"
    )
    note = f"{config.model} names no snapshot, so the model behind it may change: {until}"
    return f"{note}; {several}" if len(served) > 1 else note
