"""A suite's YAML and data to samples; everything that is wrong with them is told before a run."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from kdeval.config.yaml_file import load_yaml_model, nearest
from kdeval.errors import ConfigError, DataError
from kdeval.records import Corpus, Kind, Sample
from kdeval.scorers.label import normalised_label
from kdeval.scorers.multiple_choice import MultipleChoice
from kdeval.scorers.protocol import (
    Scorer,
    reference_problem,
    requires_reference,
    sample_problem,
)
from kdeval.scorers.registry import default_scorers, resolve_scorers
from kdeval.store.choices import ChoiceForm, choice_readings, readings_text
from kdeval.store.problems import RowProblems
from kdeval.store.tables import Row, position, read_rows
from kdeval.store.templates import TextField, to_text
from kdeval.store.tool_calls import message_content
from kdeval.suites.corpus import read_corpus
from kdeval.suites.sampling import stratified_sample
from kdeval.suites.schema import SuiteConfig
from kdeval.suites.template import SuiteFields

__all__ = ["Suite", "load_suite"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What a suite asks, and how answers are marked.

    Attributes:
        config: the settings.
        path: the YAML file.
        samples: in the order of the data.
        scorers: at least one, each with a metric name of its own.
        fingerprint: digest of the samples' ids and contents and of the scorers.
    """

    config: SuiteConfig
    path: Path
    samples: tuple[Sample, ...]
    scorers: tuple[Scorer, ...]
    fingerprint: str

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.config.name

    @property
    def kind(self) -> Kind:
        """What sort of answer it asks for."""
        return self.config.kind

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The closed label set; None unless it is a classification."""
        return None if self.config.labels is None else tuple(self.config.labels)

    def fingerprint_over(self, contents: Mapping[str, str]) -> str:
        """What its fingerprint would be with those samples: id to content hash, in order."""
        return _digest(contents.items(), _specs(self.config))

    def limited(self, n: int, seed: int) -> Suite:
        """The suite with a stratified sample of `n`, and a fingerprint of its own."""
        return self.restricted(stratified_sample(self.samples, n, seed))

    def restricted(self, samples: Sequence[Sample]) -> Suite:
        """The suite with these of its samples only, and a fingerprint of its own."""
        fingerprint = _fingerprint(samples, _specs(self.config))
        return dataclasses.replace(self, samples=tuple(samples), fingerprint=fingerprint)


def load_suite(path: str | Path) -> Suite:
    """The suite of the YAML file at `path`, fully checked.

    Raises:
        ConfigError: the YAML is not valid.
        DataError: the data cannot be read, is empty, lacks a column that a template uses, repeats
            an id, or has references that the scorers or labels do not know; with file and line.
    """
    path = Path(path)
    config = load_yaml_model(path, SuiteConfig)
    fields = SuiteFields.from_config(config, path)
    scorers = _scorers(config, path)
    data = path.parent / config.data
    if not data.exists():
        raise DataError(f"{path}: data: no such file {config.data!r} (looked for {data})")
    rows = list(read_rows(data))
    if not rows:
        raise DataError(f"{data}: the suite is empty: not one row of data")
    corpus = None if config.corpus is None else read_corpus(config.corpus, path)
    samples = _samples(config, fields, data, rows, corpus)
    _check_ids(data, rows, samples)
    samples = _with_declared_labels(config, path, data, rows, samples)
    samples = _with_indices_from_0(config, data, rows, samples, scorers)
    _check_references(path, data, rows, samples, scorers)
    return Suite(
        config=config,
        path=path,
        samples=tuple(samples),
        scorers=scorers,
        fingerprint=_fingerprint(samples, _specs(config)),
    )


def _specs(config: SuiteConfig) -> Sequence[str | dict[str, Any]]:
    if config.scorers is not None:
        return config.scorers
    found: tuple[str, ...] = ()
    if config.reference is not None:
        found = default_scorers(config.kind) if config.tools is None else ("tool_call",)
    if config.response_schema is not None:
        found = (*found, "json_schema")
    return found or ("recorded_score",)


def _scorers(config: SuiteConfig, path: Path) -> tuple[Scorer, ...]:
    try:
        return resolve_scorers(_specs(config), search=(path.resolve().parent,))
    except ConfigError as error:
        raise ConfigError([f"{path}: scorers: {problem}" for problem in error.problems]) from error


def _samples(
    config: SuiteConfig,
    fields: SuiteFields,
    data: Path,
    rows: Sequence[Row],
    corpus: Corpus | None,
) -> list[Sample]:
    absent = dict.fromkeys(name for row in rows for name in row.values)
    labels = None if config.labels is None else tuple(config.labels)
    problems = RowProblems(data)
    samples = []
    for row in rows:
        values = row.values if len(row.values) == len(absent) else {**absent, **row.values}
        try:
            sample = _sample(config, fields, labels, data, row, values)
            if corpus is not None:
                sample = dataclasses.replace(sample, corpus=corpus)
            samples.append(dataclasses.replace(sample, content_hash=_content_hash(sample)))
        except DataError as error:
            problems.add(row.line, str(error))
    problems.raise_if_any()
    return samples


def _sample(
    config: SuiteConfig,
    fields: SuiteFields,
    labels: tuple[str, ...] | None,
    data: Path,
    row: Row,
    values: Mapping[str, Any],
) -> Sample:
    number = row.number
    sample_id = str(number) if fields.id is None else fields.id.text(values, number)
    if not sample_id:
        raise DataError(f"{fields.what}: id: the value is missing; give every row an id")
    cluster = _optional(fields.cluster, values, number)
    if fields.cluster is not None and cluster is None:
        cluster = f"sample {sample_id}"
    image = fields.image_of(values, number)
    asked = fields.input_of(values, number, image)
    reference = fields.reference_of(values, number)
    choices = fields.choices_of(values, number)
    return Sample(
        id=sample_id,
        suite=config.name,
        task=_optional(fields.task, values, number) or config.name,
        kind=config.kind,
        input=asked,
        reference=reference,
        choices=choices,
        labels=labels,
        slices=fields.slices_of(values, number),
        cluster=cluster,
        source=position(Path(data.name), row.line),
        content_hash="",
        image=image,
        stop=fields.stop_of(values),
        max_new_tokens=config.max_new_tokens,
        tools=fields.tools.of(values) or (),
        response_schema=fields.response_schema.of(values),
    )


def _optional(field: TextField | None, values: Mapping[str, Any], number: int) -> str | None:
    return (field.text(values, number) or None) if field is not None else None


def _content_hash(sample: Sample) -> str:
    asked = sample.input
    text = asked if isinstance(asked, str) else [message_content(m) for m in asked]
    parts: list[Any] = [text, sample.choices, sample.labels, sample.reference]
    if sample.image is not None or sample.stop or sample.max_new_tokens is not None:
        image = None if sample.image is None else sample.image.sha256
        parts += [image, sample.stop, sample.max_new_tokens]
    if sample.corpus is not None:
        parts += [sample.corpus.sha256, sample.corpus.depth]
    if sample.tools or sample.response_schema is not None:
        parts += [{"tools": sample.tools, "response_schema": sample.response_schema}]
    content = _CANONICAL.encode(parts)
    return sha256(content.encode()).hexdigest()[:16]


def _fingerprint(samples: Iterable[Sample], specs: Sequence[Any]) -> str:
    return _digest(((sample.id, sample.content_hash) for sample in samples), specs)


def _digest(contents: Iterable[tuple[str, str]], specs: Sequence[Any]) -> str:
    digest = sha256(_CANONICAL.encode(list(specs)).encode())
    for sample_id, content_hash in contents:
        digest.update(f"\n{sample_id}\0{content_hash}".encode("utf-8", "replace"))
    return digest.hexdigest()


def _check_ids(data: Path, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
    first: dict[str, int] = {}
    problems = RowProblems(data)
    for row, sample in zip(rows, samples, strict=True):
        line = first.setdefault(sample.id, row.line)
        if line != row.line:
            problems.add(row.line, f"id {sample.id!r} was given before, in line {line}")
    problems.raise_if_any()


def _with_declared_labels(
    config: SuiteConfig, path: Path, data: Path, rows: Sequence[Row], samples: list[Sample]
) -> list[Sample]:
    """The samples with references spelled as the label set spells them."""
    if config.labels is None:
        return samples
    declared = {normalised_label(label): label for label in config.labels}
    problems = RowProblems(data)
    found: list[Sample] = []
    matched = 0
    for row, sample in zip(rows, samples, strict=True):
        if sample.reference is None:
            found.append(sample)
            continue
        given = str(to_text(sample.reference))
        label = declared.get(normalised_label(given))
        matched += label is not None
        if label is None:
            problems.add(
                row.line, f"reference {given!r} is no label; {nearest(given, config.labels)}"
            )
        elif label != sample.reference:
            sample = _with_reference(sample, label)
        found.append(sample)
    if problems and not matched:
        raise DataError(_no_label_matches(path, config.labels, samples))
    problems.raise_if_any()
    return found


def _with_indices_from_0(
    config: SuiteConfig,
    data: Path,
    rows: Sequence[Row],
    samples: list[Sample],
    scorers: Sequence[Scorer],
) -> list[Sample]:
    """The samples with references that count the choices from 1 counting them from 0."""
    if config.first_index == 0:
        return samples
    form: ChoiceForm = next(
        (item.reference for item in scorers if isinstance(item, MultipleChoice)), "auto"
    )
    problems = RowProblems(data)
    found = []
    for row, sample in zip(rows, samples, strict=True):
        given, choices = sample.reference, sample.choices or ()
        counted = isinstance(given, int) and not isinstance(given, bool)
        if not counted and not (isinstance(given, str) and given.strip().isdecimal()):
            found.append(sample)
            continue
        readings = choice_readings(
            str(given),
            choices,
            form="index" if counted else form,
            first_index=config.first_index,
        )
        if len(readings) == 1:
            sample = _with_reference(sample, next(iter(readings)))
        else:
            problems.add(row.line, _no_index(given, len(choices), readings))
        found.append(sample)
    problems.raise_if_any()
    return found


def _no_index(given: Any, n_choices: int, readings: dict[int, str]) -> str:
    if not readings:
        return f"reference {given!r} is none of the {n_choices} choices, counted from first_index 1"
    return (
        f"reference {given!r} is {readings_text(readings)}; say which with the scorer "
        "{type: multiple_choice, reference: index}, or reference: text"
    )


def _with_reference(sample: Sample, reference: str | int) -> Sample:
    changed = dataclasses.replace(sample, reference=reference)
    return dataclasses.replace(changed, content_hash=_content_hash(changed))


def _no_label_matches(path: Path, labels: Sequence[str], samples: Iterable[Sample]) -> str:
    counts = Counter(str(to_text(s.reference)) for s in samples if s.reference is not None)
    seen = [value for value, _ in counts.most_common(5)]
    more = f" and {len(counts) - len(seen)} more" if len(counts) > len(seen) else ""
    return (
        f"{path}: labels: none of them is a reference: references are "
        f"{', '.join(map(repr, seen))}{more}; labels are {', '.join(map(repr, labels[:12]))}; "
        f"for {seen[0]!r}: {nearest(seen[0], labels)}"
    )


def _check_references(
    path: Path,
    data: Path,
    rows: Sequence[Row],
    samples: Sequence[Sample],
    scorers: Sequence[Scorer],
) -> None:
    needing = [scorer for scorer in scorers if requires_reference(scorer)]
    if needing and all(sample.reference is None for sample in samples):
        raise DataError(
            f"{path}: reference is missing in all {len(samples)} rows of {data}, but scorer "
            f"{needing[0].metric.name!r} needs it: set `reference`, or leave out `scorers` when "
            "the models carry recorded scores"
        )
    problems = RowProblems(data)
    for row, sample in zip(rows, samples, strict=True):
        for scorer in needing:
            problem = reference_problem(scorer, sample)
            if problem is not None:
                problems.add(row.line, f"{problem} (scorer {scorer.metric.name!r})")
        for scorer in scorers:
            problem = sample_problem(scorer, sample)
            if problem is not None:
                problems.add(row.line, f"{problem} (scorer {scorer.metric.name!r})")
    problems.raise_if_any()
