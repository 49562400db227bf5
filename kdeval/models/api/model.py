"""A model behind a chat API as a `Generator`, a `Classifier` and a `ChoiceScorer`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec

from kdeval.config.api_models import ApiModelConfig
from kdeval.config.schema import Price
from kdeval.errors import ConfigError, MissingExtraError, ModelError
from kdeval.models.api.backoff import Backoff
from kdeval.models.api.budget import Budget
from kdeval.models.api.chat import chat_parameters, stop_texts
from kdeval.models.api.client import ChatClient, Clock, Outcome
from kdeval.models.api.event_loop import API_LOOP
from kdeval.models.api.identity import alias_note, expiry_period, served_from
from kdeval.models.api.pacing import Limits
from kdeval.models.api.prices import price_of
from kdeval.models.api.reply import as_response
from kdeval.models.api.secret_values import key_problem
from kdeval.models.api.transport import Endpoint, LitellmTransport
from kdeval.models.protocols import Request
from kdeval.records import Response, Timing
from kdeval.store.fingerprints import value_digest

__all__ = ["ApiModel"]

_PROMPTS = 1
"""To be raised when `chat_parameters` asks the same in other words."""


class ApiModel:
    """Asks through litellm, which is imported when the first request is made.

    Labels and choices are chosen by writing. Its methods may be called from several threads at
    once; `max_concurrency` holds over all of them.
    """

    batch_size = 1
    keeps_schema = True
    unable = "a chat API tells no log-likelihood of a given text, and ranks no documents"
    """Why it answers no other kinds of request."""

    def __init__(self, config: ApiModelConfig, *, price: Price | None = None) -> None:
        """Checks all that can be known without asking.

        Args:
            config: the model's configuration.
            price: what the run's `costs` say of it.

        Raises:
            MissingExtraError: litellm is not installed.
            ModelError: the key's environment variable is not set, or holds what no key can be.
            ConfigError: a budget without a price to hold it against.
        """
        if find_spec("litellm") is None:
            raise MissingExtraError(feature="type: api", extra="api")
        if config.api_key_env is not None:
            problem = key_problem(os.environ.get(config.api_key_env))
            if problem is not None:
                raise ModelError(
                    f"{config.name}: the environment variable {config.api_key_env} (api_key_env) "
                    f"{problem}"
                )
        self._config = config
        self._price = price_of(config.model, price)
        if config.budget_usd is not None and self._price is None:
            raise ConfigError(
                f"{config.name}: budget_usd needs a price, and litellm's price map has none of "
                f"{config.model!r}: give usd_per_million_input_tokens and "
                f"usd_per_million_output_tokens, or usd_per_request, under `costs: {config.name}:`"
            )
        self.max_concurrency = config.max_concurrency
        self.answered_before = False
        account = f"{config.name}: {config.model} at {served_from(config) or 'its provider'}"
        self.budget = Budget(config.name, account, config.budget_usd)
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._served: Counter[str] = Counter()
        self._decided = 0
        self._cut = 0

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the model's name, its address, and all settings that shape its answers.

        An alias that may come to mean another model has the present period in it, so that its
        answers expire.
        """
        config = self._config
        return value_digest(
            [
                "api",
                _PROMPTS,
                config.model,
                served_from(config),
                config.system,
                config.generation.model_dump(mode="json"),
                [config.log_probs or config.top_log_probs > 0, config.top_log_probs],
                expiry_period(config, time.time()),
            ]
        )

    @property
    def price_source(self) -> str | None:
        """Where the costs of its answers are from; None: they are not known."""
        return None if self._price is None else self._price.source

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the answers should know of how they came about."""
        with self._lock:
            served, seen = dict(self._served), dict(self._seen)
        lines = [alias_note(self._config, tuple(served))]
        lines += [f"{count:,} {what}" for what, count in sorted(seen.items())]
        if self._cut:
            lines.append(
                f"{self._cut:,} of {self._decided:,} answers that were to be a label or a letter "
                "were cut off at max_new_tokens"
            )
        return tuple(line for line in lines if line)

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The label that each answer is; what was written, where it is none of them."""
        return self._ask(requests)

    def score_choices(self, requests: Sequence[Request]) -> list[Response]:
        """The choice whose letter each answer is; what was written, where it is none."""
        return self._ask(requests)

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The text written for each request."""
        return self._ask(requests)

    def _ask(self, requests: Sequence[Request]) -> list[Response]:
        client = self._client

        async def every() -> list[Response]:
            return list(await asyncio.gather(*(self._one(client, item) for item in requests)))

        return API_LOOP.run(every())

    async def _one(self, client: ChatClient, request: Request) -> Response:
        try:
            parameters = chat_parameters(request, self._config)
        except ValueError as error:
            return Response(error=str(error))
        outcome = await client.ask(parameters)
        if outcome.reply is None:
            return Response(error=outcome.error)
        self._count(outcome, request)
        reply = outcome.reply.until(stop_texts(request, self._config))
        timing = Timing(
            origin="wall",
            total_s=reply.total_s,
            first_token_s=reply.first_token_s,
            between_tokens_s=reply.between_tokens_s,
            queue_s=outcome.queue_s,
        )
        return dataclasses.replace(
            as_response(request, reply), timing=timing, cost_usd=outcome.cost_usd
        )

    def _count(self, outcome: Outcome, request: Request) -> None:
        reply = outcome.reply
        assert reply is not None
        with self._lock:
            if reply.model:
                self._served[reply.model] += 1
            if request.kind in ("classification", "multiple_choice"):
                self._decided += 1
                self._cut += reply.finish_reason == "length"
            if reply.refusal:
                self._seen["refusals of the model among its answers"] += 1
            if reply.withheld:
                self._seen["of its answers withheld by the provider's content filter"] += 1
            if outcome.attempts > 1:
                self._seen["of its answers took more than one attempt"] += 1

    @property
    def spent_note(self) -> str:
        """What was spent, and by which price; empty where nothing was."""
        budget = self.budget
        if not budget.spent_usd:
            return ""
        source = f", by {self.price_source}" if self.price_source else ""
        text = f"${budget.spent_usd:.4f} spent for this run{source}{budget.unclear_note()}"
        return text if budget.cap_usd is None else f"{text}; budget_usd is {budget.cap_usd:g}"

    @property
    def _client(self) -> ChatClient:
        with self._lock:
            return self._built

    @cached_property
    def _built(self) -> ChatClient:
        config = self._config
        return ChatClient(
            config.name,
            LitellmTransport(
                config.model,
                Endpoint(
                    api_base=config.api_base,
                    api_key_env=config.api_key_env,
                    timeout_s=config.timeout_s,
                    stall_s=config.stall_s,
                ),
            ),
            backoff=Backoff(attempts=config.retries.attempts, total_s=config.retries.total_s),
            limits=Limits(
                max_concurrency=config.max_concurrency,
                requests_per_minute=config.requests_per_minute,
                tokens_per_minute=config.tokens_per_minute,
            ),
            budget=self.budget,
            price=self._price,
            clock=Clock(),
            answered_before=self.answered_before,
        )
