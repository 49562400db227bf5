"""Writing a run that was asked: samples, scored pairs, and the manifest last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from kdeval.config.schema import RunConfig
from kdeval.config.yaml_file import as_plain
from kdeval.records import Metric, Prediction, Response, Sample, Score, ScoredPair
from kdeval.run.asked import Asked
from kdeval.run.earlier_notes import notes_of_run, with_earlier_notes
from kdeval.run.ensembles import member_rows
from kdeval.run.header import build_header
from kdeval.run.marking import mark
from kdeval.run.offers import schema_notes
from kdeval.run.prepare import RunInputs
from kdeval.run.scored import ScoredSuite
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
from kdeval.suites.read import Suite
from kdeval.suites.repeats import distinct_clusters, repeat_notes

__all__ = ["write_run"]

_READ_CHUNK = 5_000


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
            response_keys=(key,),
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
    by_prompt = clustered and suite.config.cluster is None
    prompts = distinct_clusters(suite.samples) if by_prompt else None
    return SuiteEntry(
        name=suite.name,
        kind=suite.kind,
        fingerprint=suite.fingerprint,
        samples=len(suite.samples),
        metrics=tuple(scorer.metric.name for scorer in suite.scorers),
        labels=suite.labels,
        slice_keys=tuple(sorted(slice_keys)),
        clustered=clustered,
        distinct_prompts=prompts,
        tasks=tuple(tasks),
        role=suite.config.role,
        notes=repeat_notes(suite.name, len(suite.samples), prompts),
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
