"""A deterministic fake: it answers by a hash of the input, without looking at any reference."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence

from kdeval.config.schema import EchoModelConfig
from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response, ToolCall
from kdeval.store.fingerprints import value_digest
from kdeval.store.tool_definitions import tool_name

__all__ = ["EchoModel"]


class EchoModel:
    """Picks labels and choices by hash, with probabilities; writes the input back, or a text.

    Attributes:
        calls: how many batches it was asked.
        asked: ids of the samples it was asked, in order; none of a model that keeps none.
    """

    def __init__(
        self,
        *,
        text: str | None = None,
        seed: int = 0,
        fail_share: float = 0.0,
        delay_s: float = 0.0,
        raises: bool = False,
        batch_size: int = 32,
        keeps_ids: bool = True,
    ) -> None:
        """A model without state but its counts.

        Args:
            text: what it writes; None: the input.
            seed: models of different seeds pick independently.
            fail_share: share of the inputs, chosen by hash, that always fail.
            delay_s: time it takes for each request.
            raises: a failing request raises RuntimeError, as a library would, and takes its
                batch with it, instead of returning an error.
            batch_size: how many requests it likes at a time.
            keeps_ids: it notes whom it was asked, which takes memory for every request.
        """
        if not 0 <= fail_share <= 1:
            raise ModelError(f"fail_share must be from 0 to 1, got {fail_share!r}")
        self.text = text
        self.seed = seed
        self.fail_share = fail_share
        self.delay_s = delay_s
        self.raises = raises
        self.batch_size = batch_size
        self.calls = 0
        self.keeps_ids = keeps_ids
        self.asked: list[str] = []

    @classmethod
    def from_config(cls, config: EchoModelConfig) -> EchoModel:
        """The model that a run's configuration describes."""
        return cls(
            text=config.text,
            seed=config.seed,
            fail_share=config.fail_share,
            delay_s=config.delay_s,
            keeps_ids=False,
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the options that its answers depend on."""
        return value_digest(["echo", self.text, self.seed, self.fail_share])

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """A label by hash, with a probability per label."""
        return self._answers(requests, lambda request: self._pick(request, request.labels))

    def score_choices(self, requests: Sequence[Request]) -> list[Response]:
        """The index of a choice by hash, with a probability per index."""
        return self._answers(
            requests,
            lambda request: self._pick(request, tuple(map(str, range(len(request.choices))))),
        )

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The input, or the fixed text; with tools, by hash, a call or the input."""
        return self._answers(requests, self._written)

    def score_texts(self, requests: Sequence[Request]) -> list[Response]:
        """A log-probability by hash of each word."""
        return self._answers(requests, self._likelihood)

    def log_likelihoods(self, requests: Sequence[Request]) -> list[Response]:
        """A log-likelihood by hash of each continuation's words after the context."""
        return self._answers(requests, self._continued)

    def rank(self, requests: Sequence[Request]) -> list[Response]:
        """The documents in an order by hash."""
        return self._answers(requests, self._ranked)

    def _written(self, request: Request) -> Response:
        text = request.text if self.text is None else self.text
        if not request.tools:
            return Response(output=text)
        chosen = int(self._share("tool", request.text) * (len(request.tools) + 1))
        if chosen == len(request.tools):
            return Response(output=text, tool_calls=())
        call = ToolCall(name=tool_name(request.tools[chosen]), arguments={"text": text})
        return Response(output="", tool_calls=(call,))

    def _likelihood(self, request: Request) -> Response:
        words = request.choices[0].split() or [""]
        nats = [0.5 + 4 * self._share(word, request.choices[0]) for word in words]
        return Response(
            output=request.choices[0],
            output_tokens=len(words),
            mean_log_prob=-math.fsum(nats) / len(words),
        )

    def _continued(self, request: Request) -> Response:
        if not request.choices:
            return Response(error="a loglikelihood request without continuations")
        nats = [
            math.fsum(0.5 + 4 * self._share(word, f"{request.text}\0{choice}")
                      for word in choice.split() or [choice])
            for choice in request.choices
        ]  # fmt: skip
        best = nats.index(min(nats))
        return Response(
            output=str(best),
            log_probs={str(index): -value for index, value in enumerate(nats)},
            greedy=tuple(index == best for index in range(len(nats))),
        )

    def _ranked(self, request: Request) -> Response:
        if request.corpus is None:
            return Response(error="a retrieval request without a corpus")
        order = sorted(request.corpus.ids, key=lambda name: self._share(name, request.text))
        return Response(output=json.dumps(order[: request.corpus.depth]))

    def _answers(
        self, requests: Sequence[Request], answer: Callable[[Request], Response]
    ) -> list[Response]:
        self.calls += 1
        if self.keeps_ids:
            self.asked.extend(request.sample_id for request in requests)
        if self.delay_s:
            time.sleep(self.delay_s * len(requests))
        return [self._failure(request) or answer(request) for request in requests]

    def _failure(self, request: Request) -> Response | None:
        if self._share("fail", request.text) >= self.fail_share:
            return None
        if self.raises:
            raise RuntimeError(f"echo fails for sample {request.sample_id!r}, as it was told to")
        return Response(error="echo fails for this input, as it was told to")

    def _pick(self, request: Request, options: tuple[str, ...]) -> Response:
        if not options:
            return Response(error=f"a {request.kind} request without options")
        weights = [math.exp(3 * self._share(option, request.text)) for option in options]
        total = sum(weights)
        log_probs = {
            option: math.log(weight / total)
            for option, weight in zip(options, weights, strict=True)
        }
        best = max(options, key=log_probs.__getitem__)
        return Response(output=best, log_probs=log_probs, confidence=math.exp(log_probs[best]))

    def _share(self, purpose: str, text: str) -> float:
        """A number in [0, 1) that only the seed, the purpose and the text decide."""
        content = f"{self.seed}\0{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(content, digest_size=6).digest()) / 2**48
