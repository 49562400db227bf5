"""A suite's YAML and data to samples; everything that is wrong with them is told before a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from kdeval.config.yaml_file import load_yaml_model
from kdeval.errors import ConfigError, DataError
from kdeval.records import Corpus, Kind, Sample
from kdeval.scorers.protocol import Scorer
from kdeval.scorers.registry import default_scorers, resolve_scorers
from kdeval.store.problems import RowProblems
from kdeval.store.tables import Row, has_header, position, read_rows
from kdeval.store.templates import TextField
from kdeval.store.tool_calls import message_content
from kdeval.suites.checks import DeclaredLabels, IndicesFrom0, References, UniqueIds
from kdeval.suites.corpus import read_corpus
from kdeval.suites.repeats import DIGEST_SIZE, QuestionDigests, without_lone_clusters
from kdeval.suites.sampling import stratified_sample
from kdeval.suites.schema import SuiteConfig
from kdeval.suites.spool import spooled
from kdeval.suites.template import SuiteFields

__all__ = ["Suite", "load_suite"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What a suite asks, and how answers are marked.

    Attributes:
        config: the settings.
        path: the YAML file.
        samples: in the order of the data; many of them lie on disk (`SpooledSamples`). Where the
            settings name no cluster and a question is asked again, each has its question's.
        scorers: at least one, each with a metric name of its own.
        fingerprint: digest of the samples' ids and contents and of the scorers.
    """

    config: SuiteConfig
    path: Path
    samples: Sequence[Sample]
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
        digest = _Digest(_specs(self.config))
        for sample_id, content_hash in contents.items():
            digest.add(sample_id, content_hash)
        return digest.hexdigest

    def limited(self, n: int, seed: int) -> Suite:
        """The suite with a stratified sample of `n`, and a fingerprint of its own."""
        if 1 <= len(self.samples) <= n:
            return self.restricted(self.samples)
        kept: Sequence[Sample] = stratified_sample(self.samples, n, seed)
        if self.config.cluster is None:
            kept = without_lone_clusters(kept)
        return self.restricted(kept)

    def restricted(self, samples: Iterable[Sample]) -> Suite:
        """The suite with these of its samples only, and a fingerprint of its own."""
        kept = spooled(samples)
        digest = _Digest(_specs(self.config))
        for sample in kept:
            digest.add(sample.id, sample.content_hash)
        return dataclasses.replace(self, samples=kept, fingerprint=digest.hexdigest)


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
    columns = _columns(data)
    corpus = None if config.corpus is None else read_corpus(config.corpus, path)
    reading = _Reading(config, fields, path, data, columns, scorers, corpus)
    samples = spooled(reading)
    reading.raise_if_any(samples)
    if config.cluster is None:
        samples = reading.questions.clustered(samples)
    return Suite(
        config=config,
        path=path,
        samples=samples,
        scorers=scorers,
        fingerprint=reading.fingerprint,
    )


def _columns(data: Path) -> dict[str, None]:
    """Names of all columns to None: a row of JSONL may lack some.

    Raises:
        DataError: the data cannot be read, or are empty.
    """
    rows = read_rows(data)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{data}: the suite is empty: not one row of data")
    columns = dict.fromkeys(first.values)
    if not has_header(data):
        for row in rows:
            columns.update(dict.fromkeys(row.values))
    return columns


class _Reading:
    """The samples of a suite, made while they are gone through; afterwards what is wrong."""

    def __init__(
        self,
        config: SuiteConfig,
        fields: SuiteFields,
        path: Path,
        data: Path,
        columns: Mapping[str, None],
        scorers: tuple[Scorer, ...],
        corpus: Corpus | None,
    ) -> None:
        self._config, self._fields, self._data = config, fields, data
        self._labels = None if config.labels is None else tuple(config.labels)
        self._columns, self._corpus = columns, corpus
        self._problems = RowProblems(data)
        self._ids = UniqueIds(data)
        self._declared = DeclaredLabels(self._labels, path, data) if self._labels else None
        self._indices = IndicesFrom0(config, scorers, data) if config.first_index else None
        self._references = References(scorers, path, data)
        self._no_unicode: str | None = None
        self._digest = _Digest(_specs(config))
        self.questions = QuestionDigests()

    def __iter__(self) -> Iterator[Sample]:
        for row in read_rows(self._data):
            try:
                sample = self._sample(row)
            except DataError as error:
                self._problems.add(row.line, str(error))
                continue
            self._ids.add(row.line, sample.id)
            self._references.add(row.line, sample)
            self._check_unicode(sample)
            self._digest.add(sample.id, sample.content_hash)
            if self._config.cluster is None:
                self.questions.add(_question_digest(sample))
            yield sample

    @property
    def fingerprint(self) -> str:
        """Of the suite with the samples made so far."""
        return self._digest.hexdigest

    def raise_if_any(self, samples: Sequence[Sample]) -> None:
        """Nothing, or a DataError over the rows: one kind of problem at a time."""
        self._problems.raise_if_any()
        self._ids.raise_if_any(samples)
        for check in (self._declared, self._indices, self._references):
            if check is not None:
                check.raise_if_any()
        if self._no_unicode is not None:
            raise DataError(self._no_unicode)

    def _sample(self, row: Row) -> Sample:
        values = row.values
        if len(values) != len(self._columns):
            values = {**self._columns, **values}
        sample = _sample(self._config, self._fields, self._labels, self._data, row, values)
        reference = sample.reference
        if self._declared is not None:
            reference = self._declared.reference(row.line, reference)
        if self._indices is not None:
            reference = self._indices.reference(row.line, reference, sample.choices or ())
        if reference != sample.reference or self._corpus is not None:
            sample = dataclasses.replace(sample, reference=reference, corpus=self._corpus)
        return dataclasses.replace(sample, content_hash=_content_hash(sample))

    def _check_unicode(self, sample: Sample) -> None:
        try:
            f"{sample.id}{sample.text}{sample.reference}{sample.choices}".encode()
        except UnicodeEncodeError as error:
            self._no_unicode = self._no_unicode or (
                f"{sample.source}: sample {sample.id!a} is not valid Unicode ({error.reason}); "
                "mend the text"
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
    parts: list[Any] = [_asked(sample), sample.choices, sample.labels, sample.reference]
    if sample.image is not None or sample.stop or sample.max_new_tokens is not None:
        image = None if sample.image is None else sample.image.sha256
        parts += [image, sample.stop, sample.max_new_tokens]
    if sample.corpus is not None:
        parts += [sample.corpus.sha256, sample.corpus.depth]
    if sample.tools or sample.response_schema is not None:
        parts += [{"tools": sample.tools, "response_schema": sample.response_schema}]
    content = _CANONICAL.encode(parts)
    return sha256(content.encode()).hexdigest()[:16]


def _question_digest(sample: Sample) -> bytes:
    """Of what is asked, as far as samples of a suite differ in it; of likelihood the text, too."""
    text = sample.reference if sample.kind == "likelihood" else None
    image = None if sample.image is None else sample.image.sha256
    offer = (sample.stop, sample.tools, sample.response_schema)
    content = _CANONICAL.encode([_asked(sample), sample.choices, text, image, offer])
    return blake2b(content.encode(), digest_size=DIGEST_SIZE).digest()


def _asked(sample: Sample) -> Any:
    asked = sample.input
    return asked if isinstance(asked, str) else [message_content(item) for item in asked]


class _Digest:
    """The fingerprint of a suite, of its scorers and one sample after the other."""

    def __init__(self, specs: Sequence[Any]) -> None:
        self._digest = sha256(_CANONICAL.encode(list(specs)).encode())

    def add(self, sample_id: str, content_hash: str) -> None:
        self._digest.update(f"\n{sample_id}\0{content_hash}".encode("utf-8", "replace"))

    @property
    def hexdigest(self) -> str:
        return self._digest.hexdigest()
