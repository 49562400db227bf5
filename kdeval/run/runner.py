"""Running a configuration: ask what is missing, score what is there, write scored pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kdeval.config.schema import RunConfig
from kdeval.config.yaml_file import as_plain
from kdeval.errors import DataError, UsageError
from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Model, Request
from kdeval.models.recorded import RecordedModel
from kdeval.models.resolver import build_model, require_capability, stored_fingerprint
from kdeval.records import Metric, Prediction, Response, Sample, Score, ScoredPair
from kdeval.run.ensembles import executor_for, member_rows
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.header import build_header
from kdeval.run.marking import mark, require_scores
from kdeval.run.requests import KeyedRequest, keyed_requests
from kdeval.run.secrets import without_secrets
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

__all__ = ["Asked", "Progress", "RunInputs", "ask_models", "prepare", "write_run"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

_READ_CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """A configuration with everything it names loaded and checked.

    Attributes:
        fingerprints: model name to what its answers are stored under.
        replicates: model name to which repeat of the requests it is asked; 0 where not named.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking came to: per model name, the keys in sample order and the counts."""

    keys: dict[tuple[str, str], list[KeyedRequest]]
    cached: dict[str, frozenset[str]]
    asked: dict[str, int]
    errors: dict[str, dict[str, str]]

    def failures(self, name: str) -> Counter[str]:
        """Reasons of the failed requests of that model, with how many samples each struck."""
        failed = self.errors[name]
        return Counter(
            failed[item.key]
            for (model, _), keyed in self.keys.items()
            if model == name
            for item in keyed
            if item.key in failed
        )


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
        item.name: built.get(item.name) or build_model(item, search=search)
        for item in config.models
    }
    warnings = _warnings(models, suites)
    if limit is not None:
        suites = [suite.limited(limit, config.seed) for suite in suites]
    for suite in suites:
        for name, model in models.items():
            require_capability(name, model, suite.kind, suite.name)
        require_scores(suite, models)
    _check_unicode(suites)
    return RunInputs(
        config=config,
        suites=tuple(suites),
        models=models,
        fingerprints={
            item.name: stored_fingerprint(item, models[item.name], search) for item in config.models
        },
        limit=limit,
        warnings=warnings,
    )


def _warnings(models: dict[str, Model], suites: Sequence[Suite]) -> tuple[str, ...]:
    """What recorded models say of whole suites: ids that do not meet, odd probabilities."""
    asked = {suite.name: [sample.id for sample in suite.samples] for suite in suites}
    labels = {suite.name: suite.labels for suite in suites if suite.labels is not None}
    return tuple(
        f"{name}: {line}"
        for name, model in _with_members(models).items()
        if isinstance(model, RecordedModel)
        for line in model.unmatched(asked, labels)
    )


def _with_members(models: Mapping[str, Model]) -> dict[str, Model]:
    """The models, and those that an ensemble asks."""
    found = dict(models)
    for name, model in models.items():
        if isinstance(model, Ensemble):
            found |= {f"{name}, member {member}": m for member, m in model.members.items()}
    return found


def _check_unicode(suites: Sequence[Suite]) -> None:
    for suite in suites:
        for sample in suite.samples:
            try:
                f"{sample.id}{sample.text}{sample.reference}{sample.choices}".encode()
            except UnicodeEncodeError as error:
                raise DataError(
                    f"{sample.source or suite.path}: sample {sample.id!a} is not valid Unicode "
                    f"({error.reason}); mend the text"
                ) from None


def ask_models(
    inputs: RunInputs,
    store: PredictionStore,
    *,
    progress: Progress,
    executor: Executor | None = None,
) -> Asked:
    """Every missing response, asked and stored batch by batch; errors of before are asked again."""
    executor = executor or LocalExecutor()
    keys: dict[tuple[str, str], list[KeyedRequest]] = {}
    cached: dict[str, frozenset[str]] = {}
    asked: dict[str, int] = {}
    errors: dict[str, dict[str, str]] = {}
    for name, model in inputs.models.items():
        every: list[KeyedRequest] = []
        for suite in inputs.suites:
            keys[name, suite.name] = keyed_requests(
                model, inputs.fingerprints[name], suite.samples, inputs.replicates.get(name, 0)
            )
            every.extend(keys[name, suite.name])
        known = store.answered(dict.fromkeys(item.key for item in every))
        cached[name] = frozenset(known)
        pending = {item.key: item for item in every if item.key not in known}
        asked[name] = len(pending)
        errors[name] = _ask_pending(
            model, list(pending.values()), store, executor,
            partial(progress, name),
        )  # fmt: skip
    return Asked(keys=keys, cached=cached, asked=asked, errors=errors)


def _ask_pending(
    model: Model,
    pending: list[KeyedRequest],
    store: PredictionStore,
    executor: Executor,
    progress: Callable[[int, int], None],
) -> dict[str, str]:
    """Key of each failed request to the reason.

    Longest first, so that memory runs out early or never.
    """
    progress(0, len(pending))
    if not getattr(model, "answers_by_id", False):
        pending.sort(key=lambda item: (item.request.kind, -len(item.request.text), item.key))
    key_of = {id(item.request): item.key for item in pending}
    done, errors = 0, dict[str, str]()
    batches = _batches(pending, int(getattr(model, "batch_size", 32)))
    for batch, responses in executor_for(model, executor, store).answer(model, batches):
        store.put(
            {
                key_of[id(request)]: response
                for request, response in zip(batch, responses, strict=True)
            }
        )
        done += len(batch)
        errors.update(
            (key_of[id(request)], response.error)
            for request, response in zip(batch, responses, strict=True)
            if response.error is not None
        )
        progress(done, len(pending))
    return errors


def _batches(pending: list[KeyedRequest], size: int) -> Iterator[list[Request]]:
    batch: list[Request] = []
    for item in pending:
        if batch and (len(batch) >= size or batch[0].kind != item.request.kind):
            yield batch
            batch = []
        batch.append(item.request)
    if batch:
        yield batch


def write_run(inputs: RunInputs, asked: Asked, store: PredictionStore, out: Path) -> RunManifest:
    """The manifest, after samples, scored pairs and the manifest itself are on disk.

    The old manifest goes first and the new one comes last, so that a directory with a `run.json`
    always holds one whole run.
    """
    (out / "run.json").unlink(missing_ok=True)
    write_samples(
        out / "samples.parquet", (sample for suite in inputs.suites for sample in suite.samples)
    )
    pairs = write_pairs(out / "pairs.parquet", _pairs(inputs, asked, store))
    write_members(out, member_rows(inputs.suites, inputs.models, store))
    manifest = _manifest(inputs, asked, pairs)
    write_manifest(out, manifest)
    return manifest


def _pairs(inputs: RunInputs, asked: Asked, store: PredictionStore) -> Iterator[ScoredPair]:
    for suite in inputs.suites:
        for start in range(0, len(suite.samples), _READ_CHUNK):
            samples = suite.samples[start : start + _READ_CHUNK]
            marked = {
                name: _predictions(inputs, asked, store, name, suite, start)
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
    inputs: RunInputs, asked: Asked, store: PredictionStore, name: str, suite: Suite, start: int
) -> list[Prediction]:
    keyed = asked.keys[name, suite.name][start : start + _READ_CHUNK]
    responses = store.get(list(dict.fromkeys(item.key for item in keyed)))
    fingerprint = inputs.fingerprints[name]
    return [
        Prediction(
            sample_id=item.request.sample_id,
            response_key=item.key,
            model_fingerprint=fingerprint,
            replicate=item.request.replicate,
            response=responses.get(item.key, Response(error="not asked")),
            cached=item.key in asked.cached[name],
        )
        for item in keyed
    ]


def _manifest(inputs: RunInputs, asked: Asked, pairs: int) -> RunManifest:
    config = inputs.config
    metrics: dict[str, Metric] = {}
    suites = []
    for suite in inputs.suites:
        metrics.update({scorer.metric.name: scorer.metric for scorer in suite.scorers})
        suites.append(_suite_entry(suite))
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
    samples = suite.samples
    return SuiteEntry(
        name=suite.name,
        kind=suite.kind,
        fingerprint=suite.fingerprint,
        samples=len(samples),
        metrics=tuple(scorer.metric.name for scorer in suite.scorers),
        labels=suite.labels,
        slice_keys=tuple(sorted({key for sample in samples for key in sample.slices})),
        clustered=any(sample.cluster is not None for sample in samples),
        tasks=tuple(dict.fromkeys(sample.task for sample in samples)),
        role=suite.config.role,
    )


def _model_entry(inputs: RunInputs, asked: Asked, name: str) -> ModelEntry:
    item = next(item for item in inputs.config.models if item.name == name)
    model = inputs.models[name]
    price = inputs.config.costs.get(name)
    options = {key: value for key, value in as_plain(item).items() if key not in ("name", "type")}
    return ModelEntry(
        name=name,
        type=item.type,
        fingerprint=inputs.fingerprints[name],
        options=without_secrets(options),
        requests=sum(len(asked.keys[name, suite.name]) for suite in inputs.suites),
        errors=asked.failures(name).total(),
        parameters=getattr(model, "parameters", None),
        bytes_on_disk=getattr(model, "bytes_on_disk", None),
        device=getattr(model, "device", None),
        dtype=getattr(model, "dtype", None),
        peak_memory_bytes=getattr(model, "peak_memory_bytes", None),
        price=None if price is None else price.model_dump(exclude_none=True),
    )
