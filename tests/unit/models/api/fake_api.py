"""A transport and a clock that do what a test says, in no time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kdeval.models.api.backoff import Backoff
from kdeval.models.api.budget import Budget
from kdeval.models.api.client import ChatClient, Clock
from kdeval.models.api.failures import AttemptError
from kdeval.models.api.pacing import Limits
from kdeval.models.api.prices import RequestPrice
from kdeval.models.api.reply import ChatReply, Usage

ANSWER = ChatReply(text="yes", finish_reason="stop", usage=Usage(read=100, written=10), total_s=0.5)
PER_TOKEN = RequestPrice(
    tiers=((0, {"input_cost_per_token": 1e-3, "output_cost_per_token": 1e-2}),), source="a test"
)


class FakeTime:
    """A clock that stands still but for sleeping; sleepers wake in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self, seed: int = 0) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, rng=random.Random(seed))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class ScriptedTransport:
    """Plays `script` step by step: a reply, or a failure; then the same answer for ever."""

    def __init__(
        self,
        script: Sequence[ChatReply | AttemptError] = (),
        *,
        time: FakeTime | None = None,
        always: ChatReply | AttemptError = ANSWER,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self.script = list(script)
        self.always = always
        self.time = time or FakeTime()
        self.before = before
        self.sent_at: list[float] = []

    async def send(self, parameters: Mapping[str, Any]) -> ChatReply:
        self.sent_at.append(self.time.now)
        self.before()
        await asyncio.sleep(0)
        step = self.script.pop(0) if self.script else self.always
        if isinstance(step, AttemptError):
            raise step
        return step


def chat(text: str = "is it?", *, max_tokens: int = 20) -> dict[str, Any]:
    """Parameters of a request."""
    return {
        "model": "openai/x", "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
    }  # fmt: skip


def client(
    transport: ScriptedTransport,
    *,
    backoff: Backoff | None = None,
    limits: Limits | None = None,
    cap_usd: float | None = None,
    price: RequestPrice | None = None,
) -> tuple[ChatClient, Budget]:
    """A client over the transport's own time, and its budget."""
    budget = Budget("gpt", "gpt: x", cap_usd)
    made = ChatClient(
        "gpt",
        transport,
        backoff=backoff or Backoff(attempts=5, total_s=100.0),
        limits=limits or Limits(max_concurrency=4),
        budget=budget,
        price=price,
        clock=transport.time.clock(),
    )
    return made, budget
