"""Asking until there is an answer, the attempts are used up, or the run has to stop."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kdeval.errors import KdevalError, ModelError
from kdeval.models.api.backoff import Backoff
from kdeval.models.api.budget import Budget
from kdeval.models.api.failures import AttemptError
from kdeval.models.api.halting import Halt
from kdeval.models.api.pacing import Limits, Pacing
from kdeval.models.api.prices import RequestPrice
from kdeval.models.api.reply import ChatReply
from kdeval.models.api.request_size import RequestSize

__all__ = ["ChatClient", "Clock", "Outcome", "Transport"]

_IN_VAIN = 10


class Transport(Protocol):
    """What sends one attempt."""

    async def send(self, parameters: Mapping[str, Any]) -> ChatReply:
        """A whole reply, or AttemptError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What asking one request came to.

    Attributes:
        reply: None beside an error.
        error: why it was given up.
        queue_s: seconds that passed before the attempt that was answered was sent.
        attempts: how often it was sent.
        cost_usd: of the attempt that was answered; None: not known.
    """

    reply: ChatReply | None = None
    error: str | None = None
    queue_s: float = 0.0
    attempts: int = 0
    cost_usd: float | None = None


class ChatClient:
    """Sends requests of one model, from one event loop.

    When one request shows that all others would fail too (a wrong key, a model that does not
    exist, an empty account, the budget), no further one is sent.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        backoff: Backoff,
        limits: Limits,
        budget: Budget,
        price: RequestPrice | None,
        clock: Clock,
        answered_before: bool = False,
    ) -> None:
        """Nothing is sent yet.

        Args:
            name: of the model, for messages.
            transport: sends one attempt.
            backoff: between attempts.
            limits: of all requests together.
            budget: that each of them counts against.
            price: None: not known.
            clock: time and chance.
            answered_before: an earlier command has answers, so what is refused is at fault itself.
        """
        self._name = name
        self._transport = transport
        self._backoff = backoff
        self._budget = budget
        self._price = price
        self._places = asyncio.Semaphore(limits.max_concurrency)
        self._clock = clock
        self._halt = Halt(clock.sleep)
        self._pacing = Pacing(limits, clock=clock.now, sleep=self._halt.sleep)
        self._answered = 0
        self._answered_before = answered_before
        self._refused = 0
        self._exhausted = 0

    async def ask(self, parameters: Mapping[str, Any]) -> Outcome:
        """The outcome of one request.

        Args:
            parameters: from `chat_parameters`.

        Raises:
            ModelError: every other request would fail too.
            BudgetError: the budget would be passed.
        """
        async with self._places:
            return await self._ask(parameters)

    async def _ask(self, parameters: Mapping[str, Any]) -> Outcome:
        asked_at = self._clock.now()
        first_at: float | None = None
        size = RequestSize.of(parameters)
        most = None if self._price is None else self._price.most(
            read=size.most_read, written=size.most_written
        )  # fmt: skip
        failed = 0
        while True:
            await self._pacing.turn(size.likely)
            await self._reserve(most, size)
            sent_at = self._clock.now()
            first_at = sent_at if first_at is None else first_at
            try:
                reply = await self._transport.send(parameters)
            except AttemptError as error:
                self._budget.settle(most, self._cost_of(error), billed=error.billed)
                failed += 1
                given_up = await self._wait_or_give_up(error, failed, first_at)
                if given_up is not None:
                    return Outcome(error=given_up, attempts=failed)
                continue
            except BaseException:
                self._budget.settle(most, None, billed=True)
                raise
            cost = self._paid(reply, most, size)
            return Outcome(
                reply=reply, queue_s=sent_at - asked_at, attempts=failed + 1, cost_usd=cost
            )

    async def _reserve(self, most: float | None, size: RequestSize) -> None:
        """Reserves that much money, unless everything stops.

        Raises:
            BudgetError: it may not be spent.
            StoreError: it cannot be noted.
        """
        self._halt.check()
        because = ""
        if self._price is not None and self._price.tiers:
            because = (
                f" by its prompt and {size.most_written:,} new tokens at most (where answers are "
                "shorter, a lower `generation: {max_new_tokens: ...}` in the model's entry, or "
                "max_new_tokens in the suite, reserves less; what was asked is then asked anew)"
            )
        try:
            await self._budget.reserve(most, because)
        except KdevalError as error:
            self._halt.call(error)
        try:
            self._halt.check()
        except KdevalError:  # it waited for money, and others wait for what it was given
            self._budget.settle(most, None, billed=False)
            raise

    def _paid(self, reply: ChatReply, most: float | None, size: RequestSize) -> float | None:
        """What the reply cost, counted; and what its headers and tokens say of the next ones."""
        self._answered += 1
        cost = None if self._price is None else self._price.cost(reply.usage)
        self._budget.settle(most, cost, billed=True, answered=True)
        if reply.usage.read is not None:
            self._pacing.correct(size.likely, reply.usage.read + (reply.usage.written or 0))
        if reply.wait_s is not None:
            self._pacing.pause(min(reply.wait_s, self._backoff.total_s))
        return cost

    def _cost_of(self, error: AttemptError) -> float | None:
        """What the attempt cost, where the server counted its tokens all the same."""
        if self._price is None or error.usage is None or error.usage.read is None:
            return None
        return self._price.cost(error.usage)

    async def _wait_or_give_up(
        self, error: AttemptError, failed: int, first_at: float
    ) -> str | None:
        """None after a wait; else why the request is given up.

        Raises:
            ModelError: every other request would fail too.
        """
        self._halt_for(error)
        if error.remedy == "give up":
            return error.reason
        elapsed = self._clock.now() - first_at
        wait = self._backoff.wait_s(failed, elapsed, asked_s=error.wait_s, rng=self._clock.rng)
        if wait is None:
            self._exhausted += 1
            self._halt_in_vain(error)
            times = "attempt" if failed == 1 else "attempts"
            return f"given up after {failed} {times}: {error.reason}"
        if error.limited:
            self._pacing.pause(wait)
        await self._halt.sleep(wait)
        return None

    def _halt_for(self, error: AttemptError) -> None:
        """Stops everything where the failure is not of this request alone."""
        reason = None
        if error.remedy == "stop the run":
            reason = error.reason
        longest = self._backoff.total_s
        if error.remedy == "retry" and error.wait_s is not None and error.wait_s > longest:
            reason = (
                f"the API asks to wait {error.wait_s:,.0f} s, longer than retries.total_s of "
                f"{longest:g} s; the same command goes on later ({error.reason})"
            )
        if reason is not None:
            self._halt.call(ModelError(f"{self._name}: {reason}"))
        if error.refused and not self._answered_before:
            self._refused += 1
            self._halt_in_vain(error)

    def _halt_in_vain(self, error: AttemptError) -> None:
        """Stops everything where so many requests failed that a setting or the server is at fault.

        One answer in this command shows that others may be answered too.
        """
        failed = self._refused + self._exhausted
        if self._answered or failed < _IN_VAIN:
            return
        done = "refused" if not self._exhausted else "answered none of"
        self._halt.call(
            ModelError(
                f"{self._name}: the API {done} the first {failed} requests, the last one with: "
                f"{error.reason.rstrip('.')}. What was recorded is kept: the same "
                "command goes on once that is mended"
            )
        )
