"""Running a configuration: ask what is missing, score what is there, write scored pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdeval.config.schema import RunConfig
from kdeval.config.yaml_file import as_plain
from kdeval.errors import UsageError
from kdeval.models.ensemble import Ensemble
from kdeval.models.exported import ExportedModel
from kdeval.models.protocols import Model, Unloadable
from kdeval.models.recorded import RecordedModel
from kdeval.models.resolver import build_model, require_capability, stored_fingerprint
from kdeval.records import Metric, Prediction, Response, Sample, Score, ScoredPair
from kdeval.run.asked import Answered, Asked
from kdeval.run.batches import batches_of
from kdeval.run.earlier_notes import notes_of_run, with_earlier_notes
from kdeval.run.ensembles import executor_for, member_rows
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.exported import asked_suite
from kdeval.run.header import build_header
from kdeval.run.keys import Keys, KeySet
from kdeval.run.marking import mark, require_scores
from kdeval.run.offers import require_tools, schema_notes
from kdeval.run.origin import origin_of
from kdeval.run.questions import (
    Pending,
    Questions,
    SampleRequests,
    keys_of_models,
    pending_places,
)
from kdeval.run.scored import ScoredSuite
from kdeval.run.secrets import without_secrets
from kdeval.run.spending import note_spending, spends, within_budget
from kdeval.store.cache.origin import Origin
from kdeval.store.members import write_members
from kdeval.store.pairs import write_pairs, write_samples
from kdeval.store.predictions import PredictionStore
from kdeval.store.run_directory import (
    ModelEntry,
    RunManifest,
    SeriesEntry,
    SuiteEntry,
    write_manifest,
)
from kdeval.suites.read import Suite, load_suite

__all__ = ["Asked", "Progress", "RunInputs", "ask_missing", "ask_models", "prepare", "write_run"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

_READ_CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """A configuration with everything it names loaded and checked.

    Attributes:
        fingerprints: model name to what its answers are stored under.
        replicates: model name to which repeat of the requests it is asked; 0 where not named.
        search: where modules of "module:Class" models may lie.
        warnings: what is odd but no error, a line each.
        look: which of several looks (from 1) these suites are for; None: they are all there is.
    """

    config: RunConfig
    suites: tuple[Suite, ...]
    models: dict[str, Model]
    fingerprints: dict[str, str]
    limit: int | None
    warnings: tuple[str, ...] = ()
    look: int | None = None
    replicates: Mapping[str, int] = field(default_factory=dict)
    search: tuple[Path, ...] = ()

    def make_room(self, model: Model) -> None:
        """Has a model that was asked forget its weights, so that two need not be in memory.

        Not where the latency probe takes the models in turns, nor where a further look asks it.
        """
        asked_once = self.config.latency_probe is False and self.look is None
        if asked_once and isinstance(model, Unloadable) and model.in_memory:
            model.release()


def prepare(
    config: RunConfig,
    *,
    limit: int | None = None,
    search: Sequence[Path] = (),
    built: Mapping[str, Model] | None = None,
) -> RunInputs:
    """Suites and models of `config`, checked against each other before anything is asked.

    Args:
        config: what is to be run.
        limit: at most so many samples a suite.
        search: where modules of "module:Class" models may lie.
        built: models by name that are there already, such as one in training.
    """
    built = built or {}
    suites = [load_suite(Path(path)) for path in config.suites]
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two suites are called {name!r}: give each a name of its own")
    models = {
        item.name: built.get(item.name)
        or build_model(item, search=search, price=config.costs.get(item.name))
        for item in config.models
    }
    whole = suites
    if limit is not None:
        suites = [suite.limited(limit, config.seed) for suite in suites]
    warnings = _warnings(models, whole, suites)
    for suite in suites:
        for name, model in models.items():
            require_capability(name, model, suite.kind, suite.name)
        require_scores(suite, models)
        require_tools(suite, models)
    return RunInputs(
        config=config,
        suites=tuple(suites),
        models=models,
        fingerprints={
            item.name: stored_fingerprint(item, models[item.name], search) for item in config.models
        },
        limit=limit,
        warnings=warnings,
        search=tuple(search),
    )


def _warnings(
    models: dict[str, Model], suites: Sequence[Suite], asked_of: Sequence[Suite]
) -> tuple[str, ...]:
    """What models say of whole suites: ids that do not meet, odd probabilities, free writing.

    Of exported answers it is said what is missing of the samples in `asked_of` alone.
    """
    labels = {suite.name: suite.labels for suite in suites if suite.labels is not None}
    every = _with_members(models)
    recorded = {name: one for name, one in every.items() if isinstance(one, RecordedModel)}
    asked = {s.name: [sample.id for sample in s.samples] for s in suites if recorded}
    lines = [
        f"{name}: {line}"
        for name, model in recorded.items()
        for line in model.unmatched(asked, labels)
    ]
    lines += [
        f"{name}: {line}"
        for name, model in every.items()
        if isinstance(model, ExportedModel)
        for line in model.fit_to(
            {
                suite.name: asked_suite(model, suite, part)
                for suite, part in zip(suites, asked_of, strict=True)
            }
        )
    ]
    lines += [f"{name}: {note}" for name in models for note in schema_notes(suites, models[name])]
    return tuple(lines)


def _with_members(models: Mapping[str, Model]) -> dict[str, Model]:
    """The models, and those that an ensemble asks."""
    found = dict(models)
    for name, model in models.items():
        if isinstance(model, Ensemble):
            found |= {f"{name}, member {member}": m for member, m in model.members.items()}
    return found


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
    by_id = bool(getattr(model, "answers_by_id", False))
    places = pending_places(questions, keys, known, by_id=by_id)
    pending = Pending(questions, keys, places)
    with within_budget(model, store, KeySet(keys if spends(model) else ())):
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
    for start in range(0, len(keys), _READ_CHUNK):
        chunk = tuple(keys[start : start + _READ_CHUNK])
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


def write_run(
    inputs: RunInputs,
    asked: Asked,
    store: PredictionStore,
    out: Path,
    scored: Sequence[ScoredSuite] = (),
) -> RunManifest:
    """The manifest, after samples, scored pairs and the manifest itself are on disk.

    Suites in `scored` come after those of `inputs`.

    The old manifest goes first and the new one comes last, so that a directory with a `run.json`
    always holds one whole run.
    """
    earlier = notes_of_run(out)
    (out / "run.json").unlink(missing_ok=True)
    samples = chain(*(suite.samples for suite in inputs.suites), *(item.samples for item in scored))
    write_samples(out / "samples.parquet", samples)
    marked = chain(_pairs(inputs, asked, store), *(suite.pairs() for suite in scored))
    pairs = write_pairs(out / "pairs.parquet", marked)
    write_members(out, member_rows(inputs.suites, inputs.models, store))
    manifest = with_earlier_notes(_manifest(inputs, asked, pairs, scored), asked, earlier)
    write_manifest(out, manifest)
    return manifest


def _pairs(inputs: RunInputs, asked: Asked, store: PredictionStore) -> Iterator[ScoredPair]:
    for suite in inputs.suites:
        for start in range(0, len(suite.samples), _READ_CHUNK):
            samples = suite.samples[start : start + _READ_CHUNK]
            marked = {
                name: _predictions(inputs, asked, store, name, suite, start, samples)
                for name in inputs.models
            }
            for scorer in suite.scorers:
                scores = {
                    name: [
                        mark(scorer, sample, prediction.response)
                        for sample, prediction in zip(samples, predictions, strict=True)
                    ]
                    for name, predictions in marked.items()
                }
                yield from _paired(inputs.config, samples, marked, scores)


def _paired(
    config: RunConfig,
    samples: Sequence[Sample],
    predictions: dict[str, list[Prediction]],
    scores: dict[str, list[Score]],
) -> Iterator[ScoredPair]:
    teacher = config.teacher.name
    for student in config.students:
        for index, sample in enumerate(samples):
            yield ScoredPair(
                sample=sample,
                student=student.name,
                teacher_prediction=predictions[teacher][index],
                student_prediction=predictions[student.name][index],
                teacher_score=scores[teacher][index],
                student_score=scores[student.name][index],
            )


def _predictions(
    inputs: RunInputs,
    asked: Asked,
    store: PredictionStore,
    name: str,
    suite: Suite,
    start: int,
    samples: Sequence[Sample],
) -> list[Prediction]:
    keys = tuple(asked.keys[name, suite.name][start : start + len(samples)])
    responses = store.get(list(dict.fromkeys(keys)))
    cached = asked.cached[name]
    return [
        Prediction(
            sample_id=sample.id,
            response_key=key,
            model_fingerprint=inputs.fingerprints[name],
            replicate=inputs.replicates.get(name, 0),
            response=responses.get(key, Response(error="not asked")),
            cached=key in cached,
        )
        for sample, key in zip(samples, keys, strict=True)
    ]


def _manifest(
    inputs: RunInputs, asked: Asked, pairs: int, scored: Sequence[ScoredSuite]
) -> RunManifest:
    config = inputs.config
    metrics: dict[str, Metric] = {}
    suites = []
    for suite in inputs.suites:
        metrics.update({scorer.metric.name: scorer.metric for scorer in suite.scorers})
        suites.append(_suite_entry(suite))
    for item in scored:
        metrics.update({metric.name: metric for metric in item.metrics})
        suites.append(item.entry)
    entries = [_model_entry(inputs, asked, item.name) for item in config.models]
    return RunManifest(
        name=config.name or "run",
        header=build_header(
            seed=config.seed,
            models={entry.name: entry.fingerprint for entry in entries},
            suites={entry.name: entry.fingerprint for entry in suites},
        ),
        confidence=config.confidence,
        teacher=entries[0],
        students=tuple(entries[1:]),
        suites=tuple(suites),
        metrics=metrics,
        pairs=pairs,
        limit=inputs.limit,
        look=inputs.look,
        distillation_temperature=config.distillation_temperature,
        series=tuple(
            SeriesEntry(
                name=item.name,
                kind=item.kind,
                members=tuple(item.members),
                steps=None if item.steps is None else tuple(item.steps),
            )
            for item in config.series
        ),
    )


def _suite_entry(suite: Suite) -> SuiteEntry:
    tasks, slice_keys, clustered = dict[str, None](), set[str](), False
    for sample in suite.samples:
        tasks[sample.task] = None
        slice_keys.update(sample.slices)
        clustered = clustered or sample.cluster is not None
    return SuiteEntry(
        name=suite.name,
        kind=suite.kind,
        fingerprint=suite.fingerprint,
        samples=len(suite.samples),
        metrics=tuple(scorer.metric.name for scorer in suite.scorers),
        labels=suite.labels,
        slice_keys=tuple(sorted(slice_keys)),
        clustered=clustered,
        tasks=tuple(tasks),
        role=suite.config.role,
    )


def _model_entry(inputs: RunInputs, asked: Asked, name: str) -> ModelEntry:
    item = next(item for item in inputs.config.models if item.name == name)
    model = inputs.models[name]
    there = asked.elsewhere.get(name)
    computed = model if there is None else there
    price = inputs.config.costs.get(name)
    options = {key: value for key, value in as_plain(item).items() if key not in ("name", "type")}
    return ModelEntry(
        name=name,
        type=item.type,
        fingerprint=inputs.fingerprints[name],
        options=without_secrets(options),
        requests=sum(map(len, asked.of(name))),
        errors=asked.failures(name).total(),
        parameters=getattr(model, "parameters", None) or getattr(there, "parameters", None),
        bytes_on_disk=getattr(model, "bytes_on_disk", None),
        device=getattr(computed, "device", None),
        dtype=getattr(computed, "dtype", None),
        peak_memory_bytes=getattr(computed, "peak_memory_bytes", None),
        workers=None if there is None else there.workers,
        notes=(*getattr(computed, "notes", ()), *schema_notes(inputs.suites, model)),
        price=None if price is None else price.model_dump(exclude_none=True),
        price_source=getattr(model, "price_source", None),
    )
