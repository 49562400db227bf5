"""lm-eval's requests through a run's store: asked once, resumed after a kill, counted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kdeval.models.protocols import Request
from kdeval.records import Response
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress, ask_missing
from kdeval.run.executor import Executor
from kdeval.run.prepare import RunInputs
from kdeval.run.questions import Questions, request_keys
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
        progress: Progress,
    ) -> None:
        """Of the model `name` of `inputs`; `progress` is told of each kind of request."""
        self._inputs = inputs
        self._name = name
        self._store = store
        self._executor = executor
        self._progress = progress
        self._keys: dict[Request, str] = {}
        self._parts: list[Asked] = []

    def __call__(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order; those that the store lacks are asked."""
        model, fingerprint = self._inputs.models[self._name], self._inputs.fingerprints[self._name]
        keys = request_keys(model, fingerprint, requests)
        answered = ask_missing(
            self._inputs, self._name, Questions([requests]), keys, self._store,
            executor=self._executor, progress=partial(self._progress, self._stage(requests[0])),
        )  # fmt: skip
        self._keys.update(zip(requests, keys, strict=True))
        self._parts.append(Asked.of_model(self._name, {PART: keys}, answered))
        found = self._store.get(list(dict.fromkeys(keys)))
        return [found.get(key, Response(error="not asked")) for key in keys]

    def _stage(self, request: Request) -> str:
        """What its progress is called: lm-eval asks all requests of a kind at once."""
        kind = "texts" if request.kind == "generation" else "likelihoods"
        return f"{self._name}, lm-eval, {'whole ' if request.rolling else ''}{kind}"

    @property
    def counts(self) -> Asked:
        """What asking came to, over all calls."""
        return Asked.together(self._parts)

    @property
    def keys(self) -> dict[Request, str]:
        """Each request's key in the store."""
        return dict(self._keys)
