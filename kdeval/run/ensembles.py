"""Ensembles in a run: members are asked through the store, and marked one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import AnsweredBefore, Model, Request
from kdeval.models.request_keys import request_key
from kdeval.records import Response, Sample
from kdeval.run.batches import batches_of
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.executor import Executor
from kdeval.run.marking import mark
from kdeval.run.origin import origin_of
from kdeval.run.requests import as_request
from kdeval.run.spending import note_spending
from kdeval.store.predictions import PredictionStore
from kdeval.suites.read import Suite

__all__ = ["executor_for", "member_rows"]

_READ_CHUNK = 5_000


def executor_for(model: Model, executor: Executor, store: PredictionStore) -> Executor:
    """What computes the answers of `model`; an ensemble's members go through the store."""
    return _MembersThroughStore(executor, store) if isinstance(model, Ensemble) else executor


class _MembersThroughStore:
    """Asks each member what the store does not have, under the member's own fingerprint.

    So a member that is also asked for itself, or in another ensemble, is asked once.
    """

    def __init__(self, executor: Executor, store: PredictionStore) -> None:
        self._executor = executor
        self._store = store
        self.unloads_models = executor.unloads_models

    def answer(
        self, model: Model, batches: Iterable[Sequence[Request]]
    ) -> Iterator[tuple[Sequence[Request], list[Response]]]:
        """Each batch with the ensemble's responses."""
        assert isinstance(model, Ensemble)
        rounds = [list(batches)] if self.unloads_models else ([batch] for batch in batches)
        for together in rounds:
            requests = list(chain.from_iterable(together))
            for name, member in model.members.items():
                self._ask(name, member, model.fingerprints[name], requests)
            for batch in together:
                yield batch, combined(model, batch, self._store)

    def elsewhere(self, model: Model) -> Elsewhere | None:
        """What holds for all members alike: how many workers, and their notes."""
        assert isinstance(model, Ensemble)
        there = {name: self._executor.elsewhere(one) for name, one in model.members.items()}
        told = [found for found in there.values() if found is not None]
        if not told:
            return None
        notes = (
            f"member {name}: {note}"
            for name, found in there.items()
            for note in getattr(found or model.members[name], "notes", ())
        )
        return Elsewhere(workers=Elsewhere.merged(told).workers, notes=tuple(notes))

    def _ask(self, name: str, member: Model, fingerprint: str, requests: Sequence[Request]) -> None:
        keys = {request_key(member, fingerprint, request): request for request in requests}
        origin = origin_of(self._store, name, member, fingerprint)
        if origin is not None:
            origin = origin.asked_in((key, request.suite) for key, request in keys.items())
        known = self._store.answered(keys, origin)
        if known and isinstance(member, AnsweredBefore):
            member.answered_before = True
        pending = [(key, request) for key, request in keys.items() if key not in known]
        key_of = {id(request): key for key, request in pending}
        asked = batches_of(member, (request for _, request in pending))
        for part, responses in self._executor.answer(member, asked):
            self._store.put(
                {
                    key_of[id(request)]: response
                    for request, response in zip(part, responses, strict=True)
                },
                origin,
            )
            note_spending(member)


def combined(
    model: Ensemble, requests: Sequence[Request], store: PredictionStore
) -> list[Response]:
    """The ensemble's responses, from what its members answered before."""
    by_member = _stored(model, requests, store)
    return [
        model.combined(request, {name: found[index] for name, found in by_member.items()})
        for index, request in enumerate(requests)
    ]


def _stored(
    model: Ensemble, requests: Sequence[Request], store: PredictionStore
) -> dict[str, list[Response]]:
    found = {}
    for name, member in model.members.items():
        keys = [request_key(member, model.fingerprints[name], request) for request in requests]
        known = store.get(list(dict.fromkeys(keys)))
        found[name] = [known.get(key, Response(error="not asked")) for key in keys]
    return found


def member_rows(
    suites: Iterable[Suite], models: dict[str, Model], store: PredictionStore
) -> Iterator[dict[str, Any]]:
    """A row of `members.parquet` for each sample, ensemble, member and scorer."""
    ensembles = {name: model for name, model in models.items() if isinstance(model, Ensemble)}
    for suite in suites if ensembles else ():
        for start in range(0, len(suite.samples), _READ_CHUNK):
            samples = suite.samples[start : start + _READ_CHUNK]
            for ensemble, model in ensembles.items():
                found = _stored(model, [as_request(sample) for sample in samples], store)
                for member, responses in found.items():
                    place = {"suite": suite.name, "ensemble": ensemble, "member": member}
                    yield from _marked(suite, samples, responses, place)


def _marked(
    suite: Suite,
    samples: Sequence[Sample],
    responses: Sequence[Response],
    place: dict[str, str],
) -> Iterator[dict[str, Any]]:
    for scorer in suite.scorers:
        for sample, response in zip(samples, responses, strict=True):
            yield {
                **place,
                "sample_id": sample.id,
                "metric": scorer.metric.name,
                "output": response.answer,
                "score": mark(scorer, sample, response).value,
                "log_probs": _ordered(sample, response),
            }


def _ordered(sample: Sample, response: Response) -> list[float] | None:
    """Log-probabilities in the order of the labels or choices; None where some is missing."""
    keys = sample.labels or tuple(map(str, range(len(sample.choices or ()))))
    log_probs = response.log_probs
    if not keys or log_probs is None or any(key not in log_probs for key in keys):
        return None
    return [log_probs[key] for key in keys]
