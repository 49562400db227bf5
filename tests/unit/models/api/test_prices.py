"""What a request costs."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

from kdeval.config.schema import Price
from kdeval.models.api.prices import RequestPrice, list_price, price_map_digest, price_of
from kdeval.models.api.reply import Usage

CACHING = RequestPrice(
    tiers=(
        (
            0,
            {
                "input_cost_per_token": 2e-6,
                "output_cost_per_token": 8e-6,
                "cache_read_input_token_cost": 5e-7,
                "cache_creation_input_token_cost": 2.5e-6,
                "output_cost_per_reasoning_token": 9e-6,
            },
        ),
        (
            200_001,
            {
                "input_cost_per_token": 4e-6,
                "output_cost_per_token": 12e-6,
                "cache_read_input_token_cost": 1e-6,
            },
        ),
    ),
    source="a test",
)


def test_cached_and_reasoning_tokens_have_prices_of_their_own() -> None:
    """1,000 read, of them 600 from the cache and 100 into it; 50 written, 20 of them reasoning."""
    usage = Usage(read=1000, read_cached=600, read_stored=100, written=50, reasoning=20)
    expected = 300 * 2e-6 + 600 * 5e-7 + 100 * 2.5e-6 + 30 * 8e-6 + 20 * 9e-6
    assert CACHING.cost(usage) == pytest.approx(expected)


def test_long_prompts_have_their_own_price() -> None:
    """From the token after the limit on, all of the request is at the higher price."""
    at, above = Usage(read=200_000, written=10), Usage(read=200_001, written=10)
    assert CACHING.cost(at) == pytest.approx(200_000 * 2e-6 + 10 * 8e-6)
    assert CACHING.cost(above) == pytest.approx(200_001 * 4e-6 + 10 * 12e-6)


@pytest.mark.parametrize("usage", [Usage(), Usage(read=5), Usage(written=5)])
def test_what_was_not_counted_has_no_cost(usage: Usage) -> None:
    """Unknown, and not 0."""
    assert CACHING.cost(usage) is None


def test_the_most_is_the_most() -> None:
    """No request with so many tokens costs more, however they are cached or counted."""
    most = CACHING.most(read=300_000, written=100)
    for cached in (0, 100_000, 300_000):
        for stored in (0, 300_000 - cached):
            for reasoning in (0, 100):
                usage = Usage(
                    read=300_000, read_cached=cached, read_stored=stored, written=100,
                    reasoning=reasoning,
                )  # fmt: skip
                assert (CACHING.cost(usage) or 0.0) <= most + 1e-12


def test_the_map_inside_of_litellm_is_read() -> None:
    """gpt-4.1 has a price for what comes from the cache, below that of other tokens; the digest is
    that of the file.
    """
    price = list_price("openai/gpt-4.1")
    assert price is not None
    plain = price.cost(Usage(read=1000, written=0))
    cached = price.cost(Usage(read=1000, read_cached=1000, written=0))
    assert plain is not None
    assert cached is not None
    assert 0 < cached < plain < 0.1
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0])
    content = (file / "model_prices_and_context_window_backup.json").read_bytes()
    assert price_map_digest() == hashlib.sha256(content).hexdigest()
    assert hashlib.sha256(content).hexdigest()[:12] in price.source


@pytest.mark.parametrize(
    "model",
    ["openai/no-such-model", "hosted_vllm/gpt-4.1", "anthropic/gpt-4.1", "openai/whisper-1"],
)
def test_what_the_map_does_not_price_is_unknown(model: str) -> None:
    """Another provider's model of that name, or one that is not priced by the token."""
    assert list_price(model) is None


def test_the_configuration_wins() -> None:
    """Over the price map; machine-hours are no price of a request."""
    tokens = Price(usd_per_million_input_tokens=1.0, usd_per_million_output_tokens=2.0)
    price = price_of("openai/gpt-4.1", tokens)
    assert price is not None
    assert price.cost(Usage(read=1_000_000, written=500_000)) == pytest.approx(2.0)
    each = price_of("openai/gpt-4.1", Price(usd_per_request=0.01))
    assert each is not None
    assert each.cost(Usage()) == 0.01
    assert each.most(read=10**6, written=10**6) == 0.01
    assert price_of("openai/gpt-4.1", Price(usd_per_hour=3.0)) is None


def test_free_is_said_by_the_configuration_alone() -> None:
    """A price of 0 in `costs` costs nothing; an entry of the map without prices costs unknown."""
    free = Price(usd_per_million_input_tokens=0.0, usd_per_million_output_tokens=0.0)
    price = price_of("openai/no-such-model", free)
    assert price is not None
    assert price.cost(Usage(read=10, written=10)) == 0.0
