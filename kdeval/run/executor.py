"""Asking a model batch by batch: one bad request never takes its batch with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from kdeval.errors import KdevalError, ModelError
from kdeval.models.protocols import METHODS, Model, Request
from kdeval.records import Response
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.response_check import checked
from kdeval.run.secrets import redacted
from kdeval.run.sliding_window import answered_as_done

__all__ = ["Executor", "LocalExecutor", "ask"]


class Executor(Protocol):
    """Where batches are computed.

    Attributes:
        unloads_models: asking another model costs, because the one before makes room for it; so
            all that is to be asked of a model should come together.
    """

    unloads_models: bool

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with its responses, in whatever order they are done, whole or in parts."""

    def elsewhere(self, model: Model) -> Elsewhere | None:
        """What other processes said of the model that they asked; None: it was asked here."""


class LocalExecutor:
    """In this process: one batch after the other, or as many at once as the model declares."""

    unloads_models = False

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with its responses, in order; where several are at once, as they are done."""
        at_once = int(getattr(model, "max_concurrency", 1))
        if at_once > 1:
            yield from answered_as_done(partial(ask, model), batches, at_once)
            return
        for batch in batches:
            yield batch, ask(model, batch)

    def elsewhere(self, model: Model) -> None:
        """Nothing: every model is asked here."""


def ask(model: Model, batch: Sequence[Request]) -> list[Response]:
    """One response a request; a failure is a response with an error.

    When a batch raises, its requests are asked one by one, and only those that fail again are
    recorded as errors.

    Raises:
        ModelError: the model breaks its protocol, which no retry would mend.
    """
    try:
        return checked(model, batch, _call(model, batch))
    except KdevalError:
        raise
    except SystemExit as error:
        raise ModelError(
            f"{type(model).__name__} called sys.exit({error.code!r}); raise an exception instead"
        ) from error
    except Exception as error:
        if len(batch) == 1:
            return [Response(error=_reason(error))]
    return [response for request in batch for response in ask(model, [request])]


def _call(model: Model, batch: Sequence[Request]) -> object:
    """What the model's own method for that kind of request returns.

    Looked up by name: an isinstance check of a protocol would evaluate the model's fingerprint,
    which may hash its weights, for every batch.
    """
    method = getattr(model, METHODS[batch[0].kind], None)
    if method is None:
        raise ModelError(f"{type(model).__name__} cannot answer {batch[0].kind} requests")
    return method(batch)


def _reason(error: BaseException) -> str:
    text = redacted(" ".join(str(error).split()))[:500]
    text = text.encode("utf-8", "replace").decode()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
