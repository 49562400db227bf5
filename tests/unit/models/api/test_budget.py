"""What is spent outlives the command: noted before money goes out, and told for what it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdeval.errors import BudgetError, StoreError
from kdeval.models.api.budget import Budget
from kdeval.models.api.client import Outcome
from kdeval.models.api.failures import failure
from kdeval.models.api.pacing import Limits
from kdeval.models.api.prices import RequestPrice
from kdeval.models.api.reply import ChatReply
from kdeval.models.api.reply_parts import broken
from kdeval.store.spending import SpendingBook, Spent, begin_with, spent_in
from tests.unit.models.api.fake_api import ANSWER, PER_TOKEN, ScriptedTransport, chat, client

ACCOUNT = "gpt: x"


def test_what_is_in_the_air_is_noted_before_it_is_sent(tmp_path: Path) -> None:
    """A command killed at any request leaves at least the most that its requests may cost; once
    all are answered, just what they did cost.
    """
    store = tmp_path / "store.sqlite"
    left: list[Spent] = []
    transport = ScriptedTransport(before=lambda: left.append(spent_in(store)[ACCOUNT]))
    asked, budget = client(
        transport, price=PER_TOKEN, cap_usd=100.0, limits=Limits(max_concurrency=3)
    )

    async def go() -> None:
        await asyncio.gather(*(asked.ask(chat()) for _ in range(6)))

    with SpendingBook(store) as book:
        budget.keep_in(book)
        asyncio.run(go())
        budget.note()
    each = left[0].unclear_usd
    assert each > 0.2
    assert left[2].unclear_usd == pytest.approx(3 * each)
    for sent, noted in enumerate(left, start=1):
        assert noted.paid_usd + noted.unclear_usd >= 0.2 * sent
    assert spent_in(store)[ACCOUNT].paid_usd == pytest.approx(6 * 0.2)
    assert spent_in(store)[ACCOUNT].unclear_usd == 0.0


def test_requests_that_cost_nothing_leave_nothing(tmp_path: Path) -> None:
    """What was reserved for a request that the server refused is taken back in the store, too."""
    store = tmp_path / "store.sqlite"
    asked, budget = client(ScriptedTransport([failure(400, "no")]), price=PER_TOKEN, cap_usd=100.0)
    with SpendingBook(store) as book:
        budget.keep_in(book)
        asyncio.run(asked.ask(chat()))
        assert spent_in(store)[ACCOUNT].unclear_usd > 0
        budget.note()
    assert spent_in(store)[ACCOUNT] == Spent()


def test_a_budget_can_be_spent_to_its_last_cent() -> None:
    """The sum of what requests cost may be above it by what numbers are rounded by."""
    transport = ScriptedTransport()
    asked, budget = client(
        transport, price=RequestPrice(tiers=(), usd=0.1, source="a test"), cap_usd=0.3,
        limits=Limits(max_concurrency=1),
    )  # fmt: skip
    for _ in range(3):
        asyncio.run(asked.ask(chat()))
    assert budget.spent_usd > 0.3
    with pytest.raises(BudgetError):
        asyncio.run(asked.ask(chat()))


def test_who_waits_for_money_when_everything_stops_gives_it_back(tmp_path: Path) -> None:
    """Room for one request at a time and a wrong key: all four end, and nothing stays noted."""
    store = tmp_path / "store.sqlite"
    transport = ScriptedTransport([failure(401, "bad key")])
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=0.5)

    async def go() -> list[Outcome | BaseException]:
        several = [asked.ask(chat()) for _ in range(4)]
        waiting = asyncio.gather(*several, return_exceptions=True)
        return await asyncio.wait_for(waiting, timeout=10)

    with SpendingBook(store) as book:
        budget.keep_in(book)
        ended = asyncio.run(go())
        budget.note()
    assert [str(error) for error in ended] == ["gpt: bad key"] * 4
    assert len(transport.sent_at) == 1
    assert spent_in(store)[ACCOUNT] == Spent()


def test_what_a_killed_command_left_counts_and_is_told(tmp_path: Path) -> None:
    """As spent, with "up to"; and still after the next command has noted its own sums."""
    store = tmp_path / "store.sqlite"
    begin_with(store, {ACCOUNT: Spent(paid_usd=1.0, unclear_usd=2.5)})
    for _ in range(2):
        budget = Budget("gpt", ACCOUNT, 4.0)
        with SpendingBook(store) as book:
            budget.keep_in(book)
            with pytest.raises(BudgetError) as caught:
                asyncio.run(budget.reserve(1.0, " by its prompt"))
            budget.note()
        assert "$3.5000 is spent, of it up to $2.5000 for requests of earlier commands" in str(
            caught.value
        )
        assert str(caught.value).endswith("the next request may cost $1.0000 by its prompt")


def test_money_that_cannot_be_noted_is_not_spent(tmp_path: Path) -> None:
    """Where the store is closed already, as after Ctrl-C, no further request is sent."""
    transport = ScriptedTransport()
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=100.0)
    with SpendingBook(tmp_path / "store.sqlite") as book:
        budget.keep_in(book)
    with pytest.raises(StoreError, match="what is spent cannot be noted"):
        asyncio.run(asked.ask(chat()))
    assert transport.sent_at == []


def test_a_broken_answer_costs_what_its_tokens_cost() -> None:
    """Where the API counted them; only an answer without a count may have cost the most."""
    counted = broken("a message without content", ANSWER.usage)
    transport = ScriptedTransport([counted, ChatReply(text="yes", finish_reason="stop")])
    asked, budget = client(transport, price=PER_TOKEN, cap_usd=100.0)
    asyncio.run(asked.ask(chat()))
    assert budget.paid_usd == pytest.approx(100 * 1e-3 + 10 * 1e-2)
    assert budget.lost_usd == 0
    assert f"up to ${budget.uncounted_usd:.4f} for answers without a token count" in (
        budget.unclear_note()
    )
    assert "lost" not in budget.unclear_note()


def test_the_message_names_what_makes_a_request_dear() -> None:
    """The limit of new tokens, which is for the user to set."""
    transport = ScriptedTransport([failure(None, "reset")])
    asked, _ = client(transport, price=PER_TOKEN, cap_usd=0.3)
    with pytest.raises(
        BudgetError, match=r"1,024 new tokens at most \(.* `generation: \{max_new_tokens: "
    ):
        asyncio.run(asked.ask(chat(max_tokens=1024)))
    assert transport.sent_at == []


def test_a_store_that_cannot_be_read_has_spent_nothing(tmp_path: Path) -> None:
    """--fresh is the way out of a broken store, and must not fail for its sums."""
    broken_store = tmp_path / "store.sqlite"
    assert spent_in(broken_store) == {}
    broken_store.write_bytes(b"this is no database" * 100)
    assert spent_in(broken_store) == {}
