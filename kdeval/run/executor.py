"""Asking a model batch by batch: one bad request never takes its batch with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from kdeval.errors import KdevalError, ModelError
from kdeval.models.protocols import METHODS, Model, Request
from kdeval.records import Response

__all__ = ["Executor", "LocalExecutor", "ask"]

_SUM_TOLERANCE = 1e-2


class Executor(Protocol):
    """Where batches are computed."""

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with its responses, in whatever order they are done."""


class LocalExecutor:
    """In this process, one batch after the other."""

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with its responses, in order."""
        for batch in batches:
            yield batch, ask(model, batch)


def ask(model: Model, batch: Sequence[Request]) -> list[Response]:
    """One response a request; a failure is a response with an error.

    When a batch raises, its requests are asked one by one, and only those that fail again are
    recorded as errors.

    Raises:
        ModelError: the model breaks its protocol, which no retry would mend.
    """
    try:
        return _checked(model, batch, _call(model, batch))
    except KdevalError:
        raise
    except Exception as error:
        if len(batch) == 1:
            return [Response(error=_reason(error))]
    return [response for request in batch for response in ask(model, [request])]


def _call(model: Model, batch: Sequence[Request]) -> Sequence[Response]:
    """The model's own method for that kind of request.

    Looked up by name: an isinstance check of a protocol would evaluate the model's fingerprint,
    which may hash its weights, for every batch.
    """
    method = getattr(model, METHODS[batch[0].kind], None)
    if method is None:
        raise ModelError(f"{type(model).__name__} cannot answer {batch[0].kind} requests")
    responses: Sequence[Response] = method(batch)
    return responses


def _checked(
    model: Model, batch: Sequence[Request], responses: Sequence[Response]
) -> list[Response]:
    name = type(model).__name__
    if len(responses) != len(batch):
        raise ModelError(f"{name} gave {len(responses)} responses to {len(batch)} requests")
    for request, response in zip(batch, responses, strict=True):
        if not isinstance(response, Response):
            raise ModelError(
                f"{name} gave a {type(response).__name__} to {request.sample_id!r}, not a Response"
            )
        problem = _problem(request, response)
        if problem is not None:
            raise ModelError(f"{name}, sample {request.sample_id!r}: {problem}")
    return list(responses)


def _problem(request: Request, response: Response) -> str | None:
    if response.error is not None:
        return None
    if response.output is None and response.score is None:
        return "a response needs an output, or an error that says why there is none"
    numbers = {"confidence": response.confidence, "score": response.score,
               "cost_usd": response.cost_usd}  # fmt: skip
    for name, value in numbers.items():
        if value is not None and not math.isfinite(value):
            return f"{name} is {value}; leave it None where it is unknown"
    if response.confidence is not None and not 0 <= response.confidence <= 1:
        return f"confidence {response.confidence} is outside [0, 1]"
    if response.log_probs is None:
        return None
    total = 0.0
    for value in response.log_probs.values():
        if math.isnan(value) or value > 1e-6:
            return f"log-probability {value} is above 0 or not a number"
        total += math.exp(value)
    if request.kind == "classification" and abs(total - 1) > _SUM_TOLERANCE:
        return f"probabilities sum to {total:.4g}, not 1"
    return None


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
