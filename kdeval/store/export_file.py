"""A file of one model's answers, to commit and to replay: JSON lines, the first on where they are
from, then a line an answer with the suite, the sample's id, the hash of its content, and a checksum
of the line.

No input is in it. The same run gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from kdeval.errors import DataError
from kdeval.store.fingerprints import value_digest
from kdeval.store.tables import Row, read_rows

__all__ = ["KEY_DIGITS", "ExportHeader", "ExportedRow", "is_export", "read_export", "write_export"]

KIND: Final = "kdeval.export"
SCHEMA_VERSION: Final = 2
_CHECKSUM_DIGITS: Final = 16
KEY_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHeader:
    """Where the answers are from.

    Attributes:
        model: name, type, fingerprint, and where known parameters, bytes_on_disk and dtype.
        run: name of the run.
        asked: when that run ended, ISO 8601 in UTC.
        kdeval: the version that ran it.
        git_revision: of the directory it ran in.
        suites: suite to the fingerprint of its samples and scorers.
        text: whether texts that models wrote are in the file; else their scores stand for them.
    """

    model: Mapping[str, Any]
    run: str
    asked: str
    kdeval: str
    git_revision: str | None
    suites: Mapping[str, str]
    text: bool
    answers: int
    schema_version: int = SCHEMA_VERSION
    kind: str = field(default=KIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRow:
    """One answer.

    Attributes:
        content_hash: of what was asked and of the reference.
        key: the first 16 digits of the response's key, which covers what the model could see.
        response: as `kdeval.store.response_json` writes it.
    """

    suite: str
    id: str
    content_hash: str
    key: str
    response: str


def write_export(path: Path, header: ExportHeader, rows: Iterable[ExportedRow]) -> None:
    """Writes the file, whole or not at all; packed when the name ends in .gz."""
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _writing(partial, packed=path.suffix == ".gz") as handle:
            handle.write(_line({"kind": header.kind, **asdict(header)}))
            for row in rows:
                handle.write(_row_line(row))
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def _row_line(row: ExportedRow) -> str:
    values = {
        "suite": row.suite,
        "id": row.id,
        "content_hash": row.content_hash,
        "key": row.key,
        "response": json.loads(row.response),
    }
    return _line({**values, "checksum": _checksum(values)})


def is_export(path: Path) -> bool:
    """Whether it is a file of `write_export`, as far as its first line tells."""
    try:
        first = next(iter(read_rows(path)), None)
    except DataError:
        return False
    return first is not None and first.values.get("kind") == KIND


def read_export(path: Path) -> tuple[ExportHeader, Iterator[ExportedRow]]:
    """The header, and the rows as a stream.

    Raises:
        DataError: it is no such file, of another version, cut off, or damaged; while reading, too.
    """
    rows = iter(read_rows(path))
    first = next(rows, None)
    if first is None or first.values.get("kind") != KIND:
        raise DataError(f"{path}: no file of `kdeval export`: map its columns with `columns`")
    header = _header(path, first)
    return header, _rows(path, header, rows)


def _header(path: Path, first: Row) -> ExportHeader:
    version = first.values.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema version {version!r}, but this kdeval reads {SCHEMA_VERSION}; export "
            "the run again"
        )
    try:
        return ExportHeader(**first.values)
    except TypeError as error:
        raise DataError(f"{path}:1: a damaged header: {error}") from error


def _rows(path: Path, header: ExportHeader, rows: Iterator[Row]) -> Iterator[ExportedRow]:
    count = 0
    for row in rows:
        count += 1
        try:
            told = row.values["checksum"]
            exported = ExportedRow(
                suite=str(row.values["suite"]),
                id=str(row.values["id"]),
                content_hash=str(row.values["content_hash"]),
                key=str(row.values["key"]),
                response=json.dumps(row.values["response"], ensure_ascii=False),
            )
        except KeyError as error:
            raise DataError(f"{path}:{row.line}: {error} is missing: a damaged file") from error
        if told != _checksum(row.values):
            raise DataError(
                f"{path}:{row.line}: the answer to {exported.id!r} of suite {exported.suite!r} "
                f"does not fit its checksum {told!r}: it was changed after it was exported; export "
                "the run again"
            )
        yield exported
    if count != header.answers:
        raise DataError(
            f"{path}: {count} answers, but its header tells {header.answers}: the file is cut off "
            "or was changed by hand; export the run again"
        )


def _checksum(values: Mapping[str, Any]) -> str:
    """Of all that a line says but the checksum."""
    content = {name: value for name, value in values.items() if name != "checksum"}
    return value_digest(content)[:_CHECKSUM_DIGITS]


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


@contextmanager
def _writing(path: Path, *, packed: bool) -> Iterator[IO[str]]:
    """A text file; a packed one without a time or a name in it, so that bytes depend on content."""
    with path.open("wb") as raw:
        if not packed:
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as handle:
                yield handle
            return
        with (
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as unpacked,
            io.TextIOWrapper(unpacked, encoding="utf-8", newline="\n") as handle,
        ):
            yield handle
