"""Back-off, what servers ask for, and pacing."""

from __future__ import annotations

import asyncio
import random
from email.utils import formatdate

import pytest

from kdeval.models.api.backoff import Backoff
from kdeval.models.api.pacing import Limits, Pacing
from kdeval.models.api.retry_after import wait_seconds
from tests.unit.models.api.fake_api import FakeTime


def test_waits_double_and_are_drawn_from_zero_on() -> None:
    """The k-th wait is uniform between 0 and first_s * 2^(k-1), and never longer than longest_s."""
    backoff = Backoff(attempts=20, total_s=1e9, first_s=0.5, longest_s=8.0)
    rng = random.Random(7)
    for failed in range(1, 12):
        drawn = [backoff.wait_s(failed, 0.0, asked_s=None, rng=rng) or 0.0 for _ in range(400)]
        most = min(8.0, 0.5 * 2 ** (failed - 1))
        assert 0 <= min(drawn) < 0.05 * most
        assert 0.95 * most < max(drawn) <= most


def test_what_the_server_asks_for_is_waited_out() -> None:
    """At least that long, and at most first_s longer, whatever the number of the attempt."""
    backoff = Backoff(attempts=9, total_s=100.0)
    waits = [backoff.wait_s(k, 0.0, asked_s=7.0, rng=random.Random(k)) or 0.0 for k in range(1, 9)]
    assert all(7.0 <= wait <= 7.5 for wait in waits)
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize(("failed", "elapsed"), [(3, 0.0), (1, 9.9999), (2, 50.0)])
def test_back_off_has_an_end(failed: int, elapsed: float) -> None:
    """After the last attempt, or where the wait would go past the total time."""
    backoff = Backoff(attempts=3, total_s=10.0, first_s=1.0)
    assert backoff.wait_s(failed, elapsed, asked_s=1.0, rng=random.Random(0)) is None


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "150", "retry-after": "1"}, 0.15),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "250ms"}, 0.25),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "later"}, None),
        ({}, None),
    ],
)
def test_how_long_headers_ask_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, HTTP dates and reset times of spent limits; anything else: nothing."""
    found = wait_seconds(headers, now=NOW)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


def test_requests_are_spaced() -> None:
    """At 60 a minute, one a second, however many want to go at once."""
    time = FakeTime()
    pacing = Pacing(Limits(requests_per_minute=60), clock=lambda: time.now, sleep=time.sleep)

    async def go() -> list[float]:
        gone = []
        for _ in range(4):
            await pacing.turn(1)
            gone.append(time.now)
        return gone

    assert asyncio.run(go()) == pytest.approx([0, 1, 2, 3])


def test_tokens_are_spaced_by_what_the_api_counted() -> None:
    """An estimate that was too high is given back: the next request goes sooner."""
    time = FakeTime()
    pacing = Pacing(Limits(tokens_per_minute=600), clock=lambda: time.now, sleep=time.sleep)

    async def go() -> list[float]:
        gone = []
        for counted in (100, 30, 30):
            await pacing.turn(100)
            gone.append(time.now)
            pacing.correct(100, counted)
        return gone

    assert asyncio.run(go()) == pytest.approx([0, 10, 13])


def test_a_pause_holds_everyone() -> None:
    """Nobody goes out before its end; one that is called while others wait holds them too."""
    time = FakeTime()
    pacing = Pacing(Limits(), clock=lambda: time.now, sleep=time.sleep)

    async def go() -> list[float]:
        pacing.pause(5.0)
        pacing.pause(2.0)
        gone = []
        await pacing.turn(1)
        gone.append(time.now)
        pacing.pause(3.0)
        await pacing.turn(1)
        gone.append(time.now)
        return gone

    assert asyncio.run(go()) == pytest.approx([5, 8])
