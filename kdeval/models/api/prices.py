"""What a request costs: by the price map inside the litellm package, or by the configuration.

The map is read as a file, without importing litellm. What it does not price is unknown, never free;
an entry of it with prices of 0 is no price either (a server of one's own, a model without a list
price): the configuration's `costs` can say 0.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kdeval.config.schema import Price
from kdeval.models.api.reply import Usage

__all__ = ["RequestPrice", "list_price", "price_map_digest", "price_of"]

_MAP = "model_prices_and_context_window_backup.json"
_ABOVE = re.compile(r"(?P<name>.+)_above_(?P<thousands>\d+)k_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPrice:
    """US dollars of a request.

    Attributes:
        tiers: (prompt tokens above which it holds, prices per token by litellm's names), the
            lowest first.
        usd: of each request, whatever its tokens.
        source: where the price is from, in words.
    """

    tiers: tuple[tuple[int, Mapping[str, float]], ...]
    usd: float = 0.0
    source: str

    def cost(self, usage: Usage) -> float | None:
        """Of a request with those tokens; None where they are not known and matter."""
        if not self.tiers:
            return self.usd
        if usage.read is None or usage.written is None:
            return None
        prices = next(prices for above, prices in reversed(self.tiers) if usage.read >= above)
        cached, stored = usage.read_cached or 0, usage.read_stored or 0
        reading, writing = prices["input_cost_per_token"], prices["output_cost_per_token"]
        reasoning = usage.reasoning or 0
        return (
            self.usd
            + max(0, usage.read - cached - stored) * reading
            + cached * prices.get("cache_read_input_token_cost", reading)
            + stored * prices.get("cache_creation_input_token_cost", reading)
            + max(0, usage.written - reasoning) * writing
            + reasoning * prices.get("output_cost_per_reasoning_token", writing)
        )

    def most(self, *, read: int, written: int) -> float:
        """The most that a request with at most so many tokens can cost."""
        reading = max((_most(prices, "input") for _, prices in self.tiers), default=0.0)
        writing = max((_most(prices, "output") for _, prices in self.tiers), default=0.0)
        return self.usd + read * reading + written * writing


def price_of(model: str, configured: Price | None) -> RequestPrice | None:
    """The configuration's price where it gives one of requests or tokens; else the list price.

    None where neither is known, or where the configuration prices machine-hours.
    """
    if configured is None:
        return list_price(model)
    if configured.usd_per_request is not None:
        return RequestPrice(tiers=(), usd=configured.usd_per_request, source="the configured price")
    if configured.usd_per_million_input_tokens is None:
        return None
    prices = {
        "input_cost_per_token": configured.usd_per_million_input_tokens / 1e6,
        "output_cost_per_token": (configured.usd_per_million_output_tokens or 0.0) / 1e6,
    }
    return RequestPrice(tiers=((0, prices),), source="the configured price")


def list_price(model: str) -> RequestPrice | None:
    """That of litellm's map; None where it has none.

    Args:
        model: litellm's name, with the provider.
    """
    found = _map()
    if found is None:
        return None
    entries, digest = found
    provider, _, bare = model.partition("/")
    entry = entries.get(model)
    if entry is None and entries.get(bare, {}).get("litellm_provider") == provider:
        entry = entries[bare]
    if entry is None:
        return None
    tiers = _tiers(entry)
    first = tiers[0][1]
    if not {"input_cost_per_token", "output_cost_per_token"} <= set(first):
        return None
    if not first["input_cost_per_token"] and not first["output_cost_per_token"]:
        return None
    source = f"litellm's price map, SHA-256 {digest[:12]}"
    return RequestPrice(
        tiers=tiers, usd=float(entry.get("input_cost_per_request") or 0.0), source=source
    )


def price_map_digest() -> str | None:
    """SHA-256 of litellm's price map, 64 hexadecimal digits; None where it is not installed."""
    found = _map()
    return None if found is None else found[1]


@cache
def _map() -> tuple[Mapping[str, Mapping[str, Any]], str] | None:
    spec = find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / _MAP
        if file.is_file():
            content = file.read_bytes()
            return json.loads(content), hashlib.sha256(content).hexdigest()
    return None


def _tiers(entry: Mapping[str, Any]) -> tuple[tuple[int, Mapping[str, float]], ...]:
    """Prices by the number of prompt tokens from which they hold; a tier keeps what it omits."""
    plain: dict[str, float] = {}
    above: dict[int, dict[str, float]] = {}
    for name, value in entry.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or "cost" not in name:
            continue
        tier = _ABOVE.fullmatch(name)
        if tier is None:
            plain[name] = float(value)
        else:
            prices = above.setdefault(int(tier["thousands"]) * 1000 + 1, {})
            prices[tier["name"]] = float(value)
    tiers = [(0, plain)]
    for limit in sorted(above):
        tiers.append((limit, {**tiers[-1][1], **above[limit]}))
    return tuple(tiers)


def _most(prices: Mapping[str, float], side: str) -> float:
    names = {
        "input": ("input_cost_per_token", "cache_creation_input_token_cost"),
        "output": ("output_cost_per_token", "output_cost_per_reasoning_token"),
    }[side]
    return max(prices.get(name, 0.0) for name in names)
