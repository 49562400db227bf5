"""What was measured token by token: two Parquet files of a run.

- `tokens.parquet`, one row a token of a text that both models read, vocabulary shared: suite,
  student, sample_id, position (0 for the first token of the answer), token (what it writes), the
  natural-log probability of it by both, the token that each holds likeliest, its log-probability
  and whether they are the same, and KL(teacher ‖ student) in nats, Jensen-Shannon in bits and both
  entropies in nats: at temperature 1, and with the ending `_at` at the distillation temperature.
  Never the distributions themselves.
- `texts.parquet`, one row a (suite, student, sample): bytes of the text in UTF-8, bits that each
  model spends on it, tokens that it takes, whether tokens and prompt tokens were the same; or the
  reason why it was left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["TEXTS_FILE", "TOKENS_FILE", "TokenWriter", "read_settings"]

TOKENS_FILE = "tokens.parquet"
TEXTS_FILE = "texts.parquet"

_NAME = pa.dictionary(pa.int32(), pa.string())
_KEY = [("suite", _NAME), ("student", _NAME), ("sample_id", pa.string())]
_SETTINGS = b"kdeval.settings"

TOKENS_SCHEMA = pa.schema(
    [
        *_KEY,
        ("position", pa.int32()),
        ("token", _NAME),
        ("teacher_log_prob", pa.float32()),
        ("student_log_prob", pa.float32()),
        ("same_top", pa.bool_()),
        ("teacher_top", _NAME),
        ("student_top", _NAME),
        ("teacher_top_log_prob", pa.float32()),
        ("student_top_log_prob", pa.float32()),
        ("kl", pa.float32()),
        ("js", pa.float32()),
        ("teacher_entropy", pa.float32()),
        ("student_entropy", pa.float32()),
        ("kl_at", pa.float32()),
        ("js_at", pa.float32()),
        ("teacher_entropy_at", pa.float32()),
        ("student_entropy_at", pa.float32()),
    ]
)

TEXTS_SCHEMA = pa.schema(
    [
        *_KEY,
        ("reason", _NAME),
        ("bytes", pa.int32()),
        ("teacher_bits", pa.float64()),
        ("student_bits", pa.float64()),
        ("teacher_tokens", pa.int32()),
        ("student_tokens", pa.int32()),
        ("same_tokens", pa.bool_()),
        ("same_prompt", pa.bool_()),
    ]
)

_BATCH = 500


class TokenWriter:
    """Writes both files of a directory; they appear whole when the block ends without an error."""

    def __init__(self, directory: Path, settings: Mapping[str, object]) -> None:
        metadata = {_SETTINGS: json.dumps(settings, sort_keys=True).encode()}
        self._files = (directory / TOKENS_FILE, directory / TEXTS_FILE)
        self._schemas = tuple(
            schema.with_metadata(metadata) for schema in (TOKENS_SCHEMA, TEXTS_SCHEMA)
        )
        self._texts: list[Mapping[str, Any]] = []
        self._tokens: list[pa.Table] = []

    def __enter__(self) -> TokenWriter:
        """Opens both files beside their place."""
        self._writers = tuple(
            pq.ParquetWriter(_partial(file), schema, compression="zstd")
            for file, schema in zip(self._files, self._schemas, strict=True)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts them in their place, or takes them away after an error."""
        if error is None:
            self._flush()
        for writer, file in zip(self._writers, self._files, strict=True):
            writer.close()
            if error is None:
                _partial(file).replace(file)
            else:
                _partial(file).unlink(missing_ok=True)

    def add(self, text: Mapping[str, Any], tokens: Mapping[str, Sequence[Any]] | None) -> None:
        """One text of one student, and where both read the same tokens their figures by column."""
        self._texts.append(text)
        if tokens is not None:
            key = {name: [text[name]] * len(tokens["token"]) for name, _ in _KEY}
            columns = {**key, **tokens}
            schema = self._schemas[0]
            arrays = [pa.array(columns[field.name], pa.string() if field.type == _NAME
                               else field.type) for field in schema]  # fmt: skip
            self._tokens.append(pa.Table.from_arrays(arrays, names=schema.names))
        if len(self._texts) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        tokens, texts = self._writers
        if self._tokens:
            tokens.write_table(pa.concat_tables(self._tokens).cast(self._schemas[0]))
        if self._texts:
            texts.write_table(pa.Table.from_pylist(list(self._texts), schema=self._schemas[1]))
        self._tokens.clear()
        self._texts.clear()


def read_settings(directory: Path) -> Mapping[str, Any] | None:
    """What the files of `directory` were made with; None where they are missing or damaged."""
    try:
        metadata = [
            pq.read_schema(directory / name).metadata or {} for name in (TOKENS_FILE, TEXTS_FILE)
        ]
        found = [json.loads(item[_SETTINGS]) for item in metadata]
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    return found[0] if found[0] == found[1] and isinstance(found[0], dict) else None


def _partial(file: Path) -> Path:
    return file.with_name(file.name + ".partial")
