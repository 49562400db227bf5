"""lm-eval's requests through a run's store: asked once, resumed after a kill, counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.run.asked import Asked
from kdeval.run.executor import Executor
from kdeval.run.requests import KeyedRequest, request_key
from kdeval.run.runner import RunInputs, ask_missing
from kdeval.store.predictions import PredictionStore

__all__ = ["StoredAnswers"]

PART = "lm-eval"
"""What a run's counts call the requests of all tasks together."""


class StoredAnswers:
    """Answers of one model of a run, as `KdevalLM` asks for them."""

    def __init__(
        self,
        inputs: RunInputs,
        name: str,
        store: PredictionStore,
        *,
        executor: Executor,
        progress: Callable[[int, int], None],
    ) -> None:
        self._inputs = inputs
        self._name = name
        self._store = store
        self._executor = executor
        self._progress = progress
        self._keyed: list[KeyedRequest] = []
        self._parts: list[Asked] = []

    def __call__(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order; those that the store lacks are asked."""
        model, fingerprint = self._inputs.models[self._name], self._inputs.fingerprints[self._name]
        keyed = [
            KeyedRequest(key=request_key(model, fingerprint, request), request=request)
            for request in requests
        ]
        answered = ask_missing(
            self._inputs, self._name, keyed, self._store,
            executor=self._executor, progress=self._progress,
        )  # fmt: skip
        self._keyed += keyed
        self._parts.append(Asked.of_model(self._name, {PART: keyed}, answered))
        found = self._store.get(list(dict.fromkeys(item.key for item in keyed)))
        return [found.get(item.key, Response(error="not asked")) for item in keyed]

    @property
    def counts(self) -> Asked:
        """What asking came to, over all calls."""
        return Asked.together(self._parts)

    @property
    def keys(self) -> dict[Request, str]:
        """Each request's key in the store."""
        return {item.request: item.key for item in self._keyed}
