"""Rows of a data file, with the line each one starts in: JSONL, CSV, TSV (each also .gz), Parquet.

A missing value is None: an empty CSV cell, a JSON null or NaN, a Parquet null or NaN. CSV values
stay strings ("007" stays "007"); the other formats keep their types.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from kdeval.errors import DataError

__all__ = ["FORMATS", "Row", "has_empty_text", "has_header", "position", "read_rows"]

FORMATS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_CELL_LIMIT = 2**31 - 1
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        number: 1 for the first row of data; headers and blank lines do not count.
        line: the file's line it starts in; the row's number where the format has no lines.
        values: column name to value; a column may be absent in JSONL.
    """

    number: int
    line: int
    values: Mapping[str, Any]


def position(path: Path, line: int) -> str:
    """Where that is, for an error message: "data.jsonl:12", or "data.parquet: row 12"."""
    return f"{path}: row {line}" if _format(path) == ".parquet" else f"{path}:{line}"


def has_header(path: Path) -> bool:
    """Whether the file names its columns once; in JSONL each row has keys of its own."""
    return _format(path) not in (".jsonl", ".ndjson")


def has_empty_text(path: Path) -> bool:
    """Whether a value can be the empty text: in CSV and TSV an empty cell is a missing one."""
    return _format(path) not in (".csv", ".tsv")


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of the file in order, read as a stream.

    Raises:
        DataError: no such file, an unknown format, a column name given twice, or a row that
            cannot be read; with the file and line.
    """
    suffix = _format(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if suffix == ".parquet":
        return _parquet_rows(path)
    if suffix in (".jsonl", ".ndjson"):
        return _json_rows(path)
    return _csv_rows(path, delimiter="\t" if suffix == ".tsv" else ",")


def _format(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    for suffix in FORMATS:
        if name.endswith(suffix):
            return suffix
    raise DataError(
        f"{path}: unknown format {path.suffix!r}: give a file that ends in "
        f"{', '.join(FORMATS)} (text formats also with .gz)"
    )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked; what goes wrong while reading them becomes a DataError."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as handle:
            yield handle  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _json_rows(path: Path) -> Iterator[Row]:
    number = 0
    with _opened(path) as handle:
        for line, raw in enumerate(handle, start=1):
            if line == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            number += 1
            yield Row(number=number, line=line, values=_json_object(path, line, raw))


def _json_object(path: Path, line: int, raw: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(raw.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{line}: not UTF-8 text: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{line}: not valid JSON: {error.msg.removesuffix(' at')} at column "
            f"{error.colno}; "
            "each line must hold one whole JSON object"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{line}: not usable JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(
            f"{path}:{line}: expected a JSON object, got {type(value).__name__}; "
            "each line must hold one whole JSON object"
        )
    return _without_lone_surrogates(value) if _SURROGATE.search(raw) else value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return found


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_constant)


def _without_lone_surrogates(value: dict[str, Any]) -> dict[str, Any]:
    """The same with U+FFFD for half a character, as cut-off text in logs has; it has no UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    mended = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return dict(json.loads(mended))


def _csv_rows(path: Path, *, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_CELL_LIMIT)
    with _opened(path) as handle:
        text = io.TextIOWrapper(handle, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        number, line = 0, 1
        try:
            for fields in reader:
                if header is None and fields:
                    header = fields
                    _check_header(path, line, header)
                elif fields:
                    number += 1
                    yield _csv_row(path, number, line, header or [], fields)
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}:{line}: not valid CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 text after line {line}: {error.reason}") from error


def _check_header(path: Path, line: int, header: list[str]) -> None:
    _refuse_twice(f"{path}:{line}", header)


def _refuse_twice(where: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{where}: column name{'s' * (len(twice) > 1)} given twice: "
            f"{', '.join(map(repr, twice))}; give each column a name of its own"
        )


def _csv_row(path: Path, number: int, line: int, header: list[str], fields: list[str]) -> Row:
    if len(fields) != len(header):
        raise DataError(
            f"{path}:{line}: {len(fields)} cells, but the header has {len(header)}; "
            "quote a cell that holds a delimiter, a quote or a line break"
        )
    values = {name: cell or None for name, cell in zip(header, fields, strict=True)}
    return Row(number=number, line=line, values=values)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            _refuse_twice(str(path), file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=2048):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number=number, line=number, values=_without_nan(values))
    except (pa.ArrowException, OSError) as error:
        _unreadable_parquet(path, error)


def _unreadable_parquet(path: Path, error: Exception) -> NoReturn:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise DataError(f"{path}: cannot be read as Parquet: {reason}") from error


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if isinstance(value, float) and value != value:
            values[name] = None
    return values
