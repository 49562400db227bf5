"""Scored pairs as Parquet: what a run leaves for comparing, gating and routing.

One row per (suite, sample, student, metric). Two files:

- `samples.parquet`: suite, sample_id, task, kind, text, reference, cluster, content_hash, slices
  (JSON), labels (JSON), choices (JSON), reference_index (the reference's place among the labels or
  choices, missing where it has none), tools and response_schema (JSON; absent in older runs);
- `pairs.parquet`: suite, sample_id, student, metric, and for each of teacher and student: output
  (with a line for each tool call), tool_calls (JSON; absent in older runs), score, score_reason,
  error, confidence, log_probs (list in the order of the suite's labels, or of the choices),
  input_tokens, output_tokens, reasoning_tokens, mean_log_prob, truncated, latency_s,
  first_token_s, between_tokens_s (no latency is written for a share of a batch's time), cost_usd,
  cached, statistics (sufficient statistics of the sample, where the metric is no mean; absent in
  older runs), samples (every answer where a prompt was answered several times), top_log_probs
  (token to natural logarithm; both absent in older runs), key (of the response in the run's
  store, of several with spaces between; absent in older runs).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdeval.errors import RunError
from kdeval.records import Prediction, Response, Sample, Score, ScoredPair, Timing
from kdeval.store.choices import choice_readings
from kdeval.store.images import IMAGE_FIELDS, image_row
from kdeval.store.offers import OFFER_FIELDS, offer_row
from kdeval.store.tool_calls import as_tool_calls, call_content

__all__ = [
    "PAIRS_SCHEMA",
    "SAMPLES_SCHEMA",
    "read_columns",
    "read_parts",
    "read_table",
    "write_pairs",
    "write_samples",
]

_SIDE = (
    ("output", pa.string()),
    ("score", pa.float64()),
    ("score_reason", pa.dictionary(pa.int32(), pa.string())),
    ("error", pa.dictionary(pa.int32(), pa.string())),
    ("confidence", pa.float64()),
    ("log_probs", pa.list_(pa.float64())),
    ("input_tokens", pa.int64()),
    ("output_tokens", pa.int64()),
    ("reasoning_tokens", pa.int64()),
    ("mean_log_prob", pa.float64()),
    ("truncated", pa.bool_()),
    ("latency_s", pa.float64()),
    ("first_token_s", pa.float64()),
    ("between_tokens_s", pa.float64()),
    ("cost_usd", pa.float64()),
    ("cached", pa.bool_()),
    ("statistics", pa.list_(pa.float64())),
    ("samples", pa.list_(pa.string())),
    ("top_log_probs", pa.map_(pa.string(), pa.float64())),
    ("tool_calls", pa.string()),
    ("key", pa.string()),
)

_NAME = pa.dictionary(pa.int32(), pa.string())

PAIRS_SCHEMA = pa.schema(
    [("suite", _NAME), ("sample_id", pa.string()), ("student", _NAME), ("metric", _NAME)]
    + [(f"{side}_{name}", kind) for side in ("teacher", "student") for name, kind in _SIDE]
)

SAMPLES_SCHEMA = pa.schema(
    [
        ("suite", _NAME),
        ("sample_id", pa.string()),
        ("task", _NAME),
        ("kind", _NAME),
        ("text", pa.string()),
        ("reference", pa.string()),
        ("cluster", pa.string()),
        ("content_hash", pa.string()),
        ("slices", _NAME),
        ("labels", _NAME),
        ("choices", pa.string()),
        ("reference_index", pa.int32()),
        *IMAGE_FIELDS,
        *OFFER_FIELDS,
    ]
)

_BATCH = 5_000
_PART = 50_000
_JSON = json.JSONEncoder(ensure_ascii=False)
_SORTED = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


def _reference_text(sample: Sample) -> str | None:
    """The reference; tool calls as an output has them, and "no call" where none is right."""
    reference = sample.reference
    if sample.tools and reference is not None:
        try:
            calls = as_tool_calls(reference)
            return "\n".join(call.text for call in calls) or "no call"
        except ValueError:
            pass
    if reference is None or isinstance(reference, str):
        return reference
    return _SORTED.encode(reference)


def _calls_text(response: Response) -> str | None:
    calls = response.tool_calls
    if calls is None:
        return None
    return _JSON.encode([call_content(call) for call in calls])


def _sample_row(sample: Sample) -> dict[str, Any]:
    return {
        "suite": sample.suite,
        "sample_id": sample.id,
        "task": sample.task,
        "kind": sample.kind,
        "text": sample.text,
        "reference": _reference_text(sample),
        "cluster": sample.cluster,
        "content_hash": sample.content_hash,
        "slices": _SORTED.encode(dict(sample.slices)),
        "labels": None if sample.labels is None else _JSON.encode(sample.labels),
        "choices": None if sample.choices is None else _JSON.encode(sample.choices),
        "reference_index": _reference_index(sample),
        **image_row(sample),
        **offer_row(sample),
    }


def _reference_index(sample: Sample) -> int | None:
    reference = sample.reference
    if reference is None or isinstance(reference, bool):
        return None
    if sample.labels is not None:
        return sample.labels.index(reference) if reference in sample.labels else None
    if sample.choices is None:
        return None
    if isinstance(reference, int):
        return reference if 0 <= reference < len(sample.choices) else None
    readings = choice_readings(str(reference), sample.choices, form="auto")
    return next(iter(readings)) if len(readings) == 1 else None


class _Side(NamedTuple):
    """The values of one side of a pair, in the order of `_SIDE`."""

    output: str | None
    score: float | None
    score_reason: str | None
    error: str | None
    confidence: float | None
    log_probs: list[float] | None
    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    mean_log_prob: float | None
    truncated: bool | None
    latency_s: float | None
    first_token_s: float | None
    between_tokens_s: float | None
    cost_usd: float | None
    cached: bool
    statistics: list[float] | None
    samples: list[str] | None
    top_log_probs: list[tuple[str, float]] | None
    tool_calls: str | None
    key: str


def _side(sample: Sample, prediction: Prediction, score: Score) -> _Side:
    response = prediction.response
    timing = response.timing
    if timing is None or timing.origin == "batch":
        timing = Timing(origin="batch")
    return _Side(
        output=response.answer,
        tool_calls=_calls_text(response),
        score=score.value,
        score_reason=score.reason,
        error=response.error,
        confidence=response.confidence,
        log_probs=_ordered_log_probs(sample, prediction),
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
        reasoning_tokens=response.reasoning_tokens,
        mean_log_prob=response.mean_log_prob,
        truncated=response.truncated,
        latency_s=timing.total_s,
        first_token_s=timing.first_token_s,
        between_tokens_s=timing.between_tokens_s,
        cost_usd=response.cost_usd,
        cached=prediction.cached,
        key=" ".join(prediction.response_keys),
        samples=None if response.samples is None else list(response.samples),
        top_log_probs=None
        if response.top_log_probs is None
        else list(response.top_log_probs.items()),
        statistics=None if score.statistics is None else list(score.statistics),
    )


def _ordered_log_probs(sample: Sample, prediction: Prediction) -> list[float] | None:
    log_probs = prediction.response.log_probs
    if log_probs is None:
        return None
    keys: Sequence[str]
    if sample.labels is not None:
        keys = sample.labels
    elif sample.choices is not None:
        keys = [str(index) for index in range(len(sample.choices))]
    else:
        return None
    if any(key not in log_probs for key in keys):
        return None
    return [log_probs[key] for key in keys]


def _pair_row(pair: ScoredPair) -> tuple[Any, ...]:
    sample = pair.sample
    return (
        sample.suite,
        sample.id,
        pair.student,
        pair.teacher_score.scorer,
        *_side(sample, pair.teacher_prediction, pair.teacher_score),
        *_side(sample, pair.student_prediction, pair.student_score),
    )


def _write(path: Path, schema: pa.Schema, rows: Iterator[tuple[Any, ...]]) -> int:
    """Rows written; the file appears whole or not at all, and memory holds one batch."""
    partial = path.with_name(path.name + ".partial")
    count = 0
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        while batch := list(islice(rows, _BATCH)):
            columns = zip(*batch, strict=True)
            arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    partial.replace(path)
    return count


def write_pairs(path: Path, pairs: Iterable[ScoredPair]) -> int:
    """Number of rows written to `path`, in the order given."""
    return _write(path, PAIRS_SCHEMA, map(_pair_row, pairs))


def write_samples(path: Path, samples: Iterable[Sample]) -> int:
    """Number of rows written to `path`, in the order given."""
    names = SAMPLES_SCHEMA.names
    rows = map(_sample_row, samples)
    return _write(path, SAMPLES_SCHEMA, (tuple(row[name] for name in names) for row in rows))


def read_columns(path: Path, columns: list[str]) -> pa.Table:
    """Those of the columns that the table has, its repeated texts as dictionaries.

    Raises:
        RunError: the file is missing or corrupted.
    """
    with _reading(path):
        schema = pq.read_schema(path)
        known = [name for name in columns if name in schema.names]
        texts = [name for name in known if name.endswith("_output")]
        return pq.read_table(path, columns=known, read_dictionary=texts)


def read_parts(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """What `read_columns` reads, some tens of thousands of rows at a time.

    Raises:
        RunError: the file is missing or corrupted.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        known = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=_PART, columns=known):
            yield pa.Table.from_batches([batch])


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """The table of a run as a DataFrame; missing numbers are NaN only in here, inside pandas.

    Raises:
        RunError: the file is missing, corrupted, or lacks a column.
    """
    with _reading(path):
        frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return frame


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise RunError(
            f"{path} is missing: the run did not finish; run the same `kdeval run` again"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"{path} is corrupted ({error}); delete it and run the same `kdeval run` again: "
            "recorded predictions are kept"
        ) from error
