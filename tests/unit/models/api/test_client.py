"""One request asked until there is an answer, and what stops all of them."""

from __future__ import annotations

import asyncio

import pytest

from kdeval.errors import BudgetError, ModelError
from kdeval.models.api.backoff import Backoff
from kdeval.models.api.client import Outcome
from kdeval.models.api.failures import AttemptError, failure
from kdeval.models.api.pacing import Limits
from tests.unit.models.api.fake_api import (
    ANSWER,
    PER_TOKEN,
    FakeTime,
    ScriptedTransport,
    chat,
    client,
)


def test_a_request_is_sent_again_until_it_is_answered() -> None:
    """Waiting is told apart from the answer's own time: both attempts' back-off is the queue's."""
    transport = ScriptedTransport([failure(500, "boom"), failure(None, "reset")])
    asked, _ = client(transport)
    outcome = asyncio.run(asked.ask(chat()))
    assert outcome.reply is ANSWER
    assert outcome.attempts == 3
    assert outcome.queue_s == pytest.approx(sum(transport.time.slept))
    assert transport.sent_at == sorted(set(transport.sent_at))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529, None])
def test_what_passes_is_tried_again(status: int | None) -> None:
    """Overload, faults of the server, time-outs and broken connections; to the last attempt."""
    transport = ScriptedTransport(always=failure(status, "boom"))
    asked, _ = client(transport, backoff=Backoff(attempts=4, total_s=1e6))
    outcome = asyncio.run(asked.ask(chat()))
    assert outcome == Outcome(error=outcome.error, attempts=4)
    assert "given up after 4 attempts" in str(outcome.error)
    assert "boom" in str(outcome.error)
    assert len(transport.sent_at) == 4


def test_time_ends_it_too() -> None:
    """No attempt begins later than total_s after the first."""
    transport = ScriptedTransport(always=failure(429, "slow down", wait_s=4.0))
    asked, _ = client(transport, backoff=Backoff(attempts=100, total_s=10.0))
    outcome = asyncio.run(asked.ask(chat()))
    assert outcome.reply is None
    assert len(transport.sent_at) == 3
    assert max(transport.sent_at) <= 10.0


def test_a_refused_request_is_not_sent_again() -> None:
    """Status 400: the request is at fault, and is given up at once."""
    transport = ScriptedTransport([failure(400, "bad request")])
    asked, _ = client(transport)
    outcome = asyncio.run(asked.ask(chat()))
    assert outcome.error == "bad request"
    assert len(transport.sent_at) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_everything(status: int) -> None:
    """Others that wait are not sent at all, and wake at once to say why."""
    transport = ScriptedTransport([failure(500, "boom"), failure(status, "wrong")])
    asked, _ = client(transport, limits=Limits(max_concurrency=2))

    async def go() -> list[BaseException | Outcome]:
        several = [asked.ask(chat(str(i))) for i in range(50)]
        return await asyncio.gather(*several, return_exceptions=True)

    found = asyncio.run(go())
    assert all(isinstance(item, ModelError) and "gpt: wrong" in str(item) for item in found)
    assert len(transport.sent_at) <= 3


def test_refusing_everything_from_the_start_stops_too() -> None:
    """Ten refusals and no answer: a setting is wrong, and the other thousands would be refused."""
    transport = ScriptedTransport(always=failure(400, "temperature is not supported"))
    asked, _ = client(transport, limits=Limits(max_concurrency=1))

    async def go() -> None:
        for _ in range(1000):
            await asked.ask(chat())

    with pytest.raises(ModelError, match=r"refused the first 10 requests.*temperature"):
        asyncio.run(go())
    assert len(transport.sent_at) == 10


@pytest.mark.parametrize("status", [500, 429, None])
def test_a_server_that_answers_nothing_stops_the_run(status: int | None) -> None:
    """Ten requests given up and no answer: the other thousands are not tried for hours."""
    transport = ScriptedTransport(always=failure(status, "boom"))
    asked, _ = client(transport, backoff=Backoff(attempts=3, total_s=1e6))

    async def go() -> list[BaseException | Outcome]:
        several = [asked.ask(chat(str(i))) for i in range(500)]
        return await asyncio.gather(*several, return_exceptions=True)

    found = asyncio.run(go())
    stopped = [item for item in found if isinstance(item, ModelError)]
    assert len([item for item in found if isinstance(item, Outcome)]) == 9
    assert "answered none of the first 10 requests, the last one with: boom" in str(stopped[0])
    assert len(transport.sent_at) <= 3 * (10 + 4)


def test_one_answer_shows_that_the_others_may_be_answered() -> None:
    """After it nothing stops the run, however many are given up."""
    transport = ScriptedTransport([ANSWER], always=failure(500, "boom"))
    asked, _ = client(
        transport, backoff=Backoff(attempts=2, total_s=1e6), limits=Limits(max_concurrency=1)
    )

    async def go() -> list[Outcome]:
        return [await asked.ask(chat()) for _ in range(40)]

    outcomes = asyncio.run(go())
    assert {outcome.error for outcome in outcomes[1:]} == {"given up after 2 attempts: boom"}


def test_long_prompts_that_are_refused_stop_nothing() -> None:
    """The longest requests come first: too long for the model says nothing of the others."""
    too_long = AttemptError("too long for the model", remedy="give up")
    transport = ScriptedTransport([too_long] * 30)
    asked, _ = client(transport, limits=Limits(max_concurrency=1))

    async def go() -> list[Outcome]:
        return [await asked.ask(chat()) for _ in range(31)]

    outcomes = asyncio.run(go())
    assert sum(outcome.error is not None for outcome in outcomes) == 30
    assert outcomes[-1].reply is ANSWER


def test_one_429_slows_everybody_down() -> None:
    """While the server wants rest nobody asks, not only the request that was told so."""
    transport = ScriptedTransport([failure(429, "slow down", wait_s=20.0)])
    asked, _ = client(transport, limits=Limits(max_concurrency=1))

    async def go() -> None:
        await asyncio.gather(*(asked.ask(chat(str(i))) for i in range(5)))

    asyncio.run(go())
    assert transport.sent_at[0] == 0.0
    assert min(transport.sent_at[1:]) >= 20.0


def test_a_wait_of_hours_stops_the_run() -> None:
    """Longer than the whole time of retries: the same command goes on later."""
    transport = ScriptedTransport([failure(429, "quota of the day", wait_s=7200.0)])
    asked, _ = client(transport)
    with pytest.raises(ModelError, match=r"wait 7,200 s.*goes on later"):
        asyncio.run(asked.ask(chat()))


def test_no_more_than_so_many_at_once() -> None:
    """The limit holds however many ask."""
    now, most = 0, 0

    class Counting(ScriptedTransport):
        async def send(self, parameters):  # type: ignore[no-untyped-def]
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return ANSWER

    asked, _ = client(Counting(), limits=Limits(max_concurrency=3))

    async def go() -> None:
        await asyncio.gather(*(asked.ask(chat()) for _ in range(20)))

    asyncio.run(go())
    assert most == 3


def _most_usd() -> float:
    """What a request of `chat()` may cost at most."""
    transport = ScriptedTransport()
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=1e9)
    reserved = []
    original = budget.reserve

    async def spy(most_usd: float | None, because: str = "") -> None:
        reserved.append(most_usd)
        await original(most_usd, because)

    budget.reserve = spy  # type: ignore[method-assign]
    asyncio.run(asked.ask(chat()))
    return float(reserved[0] or 0)


def test_the_budget_is_never_passed() -> None:
    """Eight at once, each reserving the most it may cost: what was spent stays below the cap, and
    the run stops only where nothing in the air can make room.
    """
    cap = 5.0
    transport = ScriptedTransport()
    asked, budget = client(
        transport, price=PER_TOKEN, cap_usd=cap, limits=Limits(max_concurrency=8)
    )

    async def go() -> list[BaseException | Outcome]:
        several = [asked.ask(chat()) for _ in range(100)]
        return await asyncio.gather(*several, return_exceptions=True)

    found = asyncio.run(go())
    answered = [item for item in found if isinstance(item, Outcome)]
    assert budget.spent_usd == pytest.approx(0.2 * len(answered))
    assert cap - _most_usd() < budget.spent_usd <= cap
    stopped = [item for item in found if isinstance(item, BudgetError)]
    assert len(answered) + len(stopped) == 100
    assert "budget_usd of $5" in str(stopped[0])


def test_answers_that_were_lost_count_with_the_most_they_may_have_cost() -> None:
    """A connection that broke may have been billed; a 429 or a 500 was not."""
    lost, refused = failure(None, "reset"), failure(429, "slow")
    transport = ScriptedTransport([lost, refused, failure(500, "boom")])
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=100.0)
    asyncio.run(asked.ask(chat()))
    assert budget.unclear_usd == pytest.approx(_most_usd())
    assert budget.paid_usd == pytest.approx(100 * 1e-3 + 10 * 1e-2)
    assert budget.spent_usd == budget.unclear_usd + budget.paid_usd


def test_what_earlier_commands_spent_counts() -> None:
    """A budget that is spent already lets nothing through, not even the first request."""
    transport = ScriptedTransport()
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=5.0)
    budget.earlier_usd = 4.9999
    with pytest.raises(BudgetError, match=r"\$4.9999"):
        asyncio.run(asked.ask(chat()))
    assert transport.sent_at == []


def test_time_stands_still_in_these_tests() -> None:
    """The fake clock moves by what is slept and by nothing else."""
    time = FakeTime()
    asyncio.run(time.sleep(3.0))
    assert time.now == 3.0
