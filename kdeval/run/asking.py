"""Asking models what the store does not have, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kdeval.models.protocols import AnsweredBefore, Model
from kdeval.run.asked import Answered, Asked
from kdeval.run.batches import batches_of
from kdeval.run.ensembles import executor_for
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.keys import Keys, KeySet
from kdeval.run.origin import origin_of
from kdeval.run.prepare import RunInputs
from kdeval.run.questions import Pending, Questions, SampleRequests, keys_of_models, pending_places
from kdeval.run.spending import note_spending, spends, within_budget
from kdeval.store.cache.origin import Origin
from kdeval.store.predictions import PredictionStore

__all__ = ["Progress", "ask_missing", "ask_models"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

_LOOKED_UP = 5_000


def ask_models(
    inputs: RunInputs,
    store: PredictionStore,
    *,
    progress: Progress,
    executor: Executor | None = None,
) -> Asked:
    """Every missing response, asked and stored batch by batch; errors of before are asked again."""
    executor = executor or LocalExecutor()
    parts = []
    keys = _suite_keys(inputs)
    questions = {
        replicate: Questions([SampleRequests(suite.samples, replicate) for suite in inputs.suites])
        for replicate in {inputs.replicates.get(name, 0) for name in inputs.models}
    }
    for name, model in inputs.models.items():
        of_suites = {suite.name: keys[name, suite.name] for suite in inputs.suites}
        answered = ask_missing(
            inputs, name, questions[inputs.replicates.get(name, 0)],
            Keys.joined(of_suites.values()), store,
            executor=executor, progress=partial(progress, name),
        )  # fmt: skip
        inputs.make_room(model)
        parts.append(Asked.of_model(name, of_suites, answered))
    return Asked.together(parts)


def _suite_keys(inputs: RunInputs) -> dict[tuple[str, str], Keys]:
    """(model, suite) to the keys of its requests, in the suite's order."""
    found: dict[tuple[str, str], Keys] = {}
    for replicate in {inputs.replicates.get(name, 0) for name in inputs.models}:
        models = {
            name: (model, inputs.fingerprints[name])
            for name, model in inputs.models.items()
            if inputs.replicates.get(name, 0) == replicate
        }
        for suite in inputs.suites:
            keys = keys_of_models(models, SampleRequests(suite.samples, replicate))
            found |= {(name, suite.name): of_model for name, of_model in keys.items()}
    return found


def ask_missing(
    inputs: RunInputs,
    name: str,
    questions: Questions,
    keys: Keys,
    store: PredictionStore,
    *,
    executor: Executor,
    progress: Callable[[int, int], None],
) -> Answered:
    """What the store did not have of one model's answers is asked and stored, then counted.

    Args:
        inputs: of the run.
        name: the model's.
        questions: what it is asked.
        keys: of each of them.
        store: where answers are looked up and written.
        executor: where the model is asked.
        progress: called with (done, total).
    """
    model = inputs.models[name]
    origin = origin_of(store, name, model, inputs.fingerprints[name])
    known = _answered(questions, keys, store, origin)
    if known.any() and isinstance(model, AnsweredBefore):
        model.answered_before = True
    by_id = bool(getattr(model, "answers_by_id", False))
    places = pending_places(questions, keys, known, by_id=by_id)
    pending = Pending(questions, keys, places)
    with within_budget([model], store, KeySet(keys if spends(model) else ())):
        errors = _ask_pending(model, pending, store, executor, progress, origin)
    return Answered(
        cached=KeySet(keys.at(np.flatnonzero(known))),
        asked=len(places),
        errors=errors,
        elsewhere=executor_for(model, executor, store).elsewhere(model),
    )


def _answered(
    questions: Questions, keys: Keys, store: PredictionStore, origin: Origin | None
) -> NDArray[np.bool_]:
    """Whether the store has an answer, place by place."""
    known = np.zeros(len(keys), bool)
    for start in range(0, len(keys), _LOOKED_UP):
        chunk = tuple(keys[start : start + _LOOKED_UP])
        if origin is not None:
            asked = (questions[place].suite for place in range(start, start + len(chunk)))
            origin = origin.asked_in(zip(chunk, asked, strict=True))
        found = store.answered(dict.fromkeys(chunk), origin)
        known[start : start + len(chunk)] = [key in found for key in chunk]
    return known


def _ask_pending(
    model: Model,
    pending: Pending,
    store: PredictionStore,
    executor: Executor,
    progress: Callable[[int, int], None],
    origin: Origin | None,
) -> dict[str, str]:
    """Key of each failed request to the reason."""
    total = len(pending.keys)
    progress(0, total)
    done, errors = 0, dict[str, str]()
    batches = batches_of(model, pending.requests())
    for batch, responses in executor_for(model, executor, store).answer(model, batches):
        keys = [pending.taken(request) for request in batch]
        if origin is not None:
            suites = (request.suite for request in batch)
            origin = origin.asked_in(zip(keys, suites, strict=True))
        found = dict(zip(keys, responses, strict=True))
        store.put(found, origin)
        note_spending(model)
        done += len(batch)
        errors.update((key, said.error) for key, said in found.items() if said.error is not None)
        progress(done, total)
    return errors
