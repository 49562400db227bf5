"""A cache of answers that several runs share: read before a model is asked, filled by what it says.

One that cannot be opened is refused, before what it was to spare is paid for. From then on it
stops no run: what is damaged, or locked for long, is told in `problems`, and the model is asked.
"""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from kdeval import __version__
from kdeval.errors import StoreError
from kdeval.records import Response
from kdeval.store.cache.database import (
    ROW_BYTES,
    checksum,
    connect,
    directory_lock,
    is_writable,
    sound_response,
)
from kdeval.store.cache.origin import Origin
from kdeval.store.response_json import encode_response
from kdeval.store.transactions import Closing, transaction

__all__ = ["SharedCache"]

_CHUNK = 500
_FLUSH_ROWS = 1_000
_FLUSH_S = 1.0
_USED_STEP_S = 86_400
_COLUMNS = "key, created, used, checksum, body"


class SharedCache(Closing):
    """Answers by key, in a directory that any number of runs use at the same time.

    Use it as a context manager. Answers are written at most a second after they came, and when it
    is closed; what a kill loses, the next use of the same run directory adds.

    Attributes:
        read: model name to answers served.
        written: model name to answers added.
        damaged: rows that were left out because their checksum does not fit.
    """

    def __init__(self, directory: Path, *, fresh: bool = False) -> None:
        """Opens the cache, which is made when it is missing.

        Args:
            directory: where it lies.
            fresh: serve nothing, and replace what is there by what models say now.

        Raises:
            StoreError: it is damaged as a whole, of another version, or cannot be opened.
        """
        self.directory = directory
        self.fresh = fresh
        self.read: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.damaged = 0
        self._problems: dict[str, None] = {}
        self._connection: sqlite3.Connection | None = None
        self._lock: IO[str] | None = None
        self._pending: list[tuple[Origin, tuple[object, ...]]] = []
        self._used: dict[str, float] = {}
        self._flushed = time.monotonic()
        self._readable = self._writable = True
        self._open()

    def _open(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._writable = is_writable(self.directory)
            self._lock = directory_lock(self.directory)
            self._connection = connect(self.directory, writable=self._writable)
        except (OSError, sqlite3.Error, StoreError) as error:
            self.close()
            raise self._unusable(error) from error
        if not self._writable:
            self._tell("it is not writable here: answers are read, and none is added")

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong with it, a line each; none: nothing."""
        lines = list(self._problems)
        if self.damaged:
            lines.append(
                f"{self.damaged} damaged answer{'s' * (self.damaged > 1)} left out, and asked "
                f"again: see kdeval cache verify {shlex.quote(str(self.directory))}"
            )
        return tuple(f"cache {self.directory}: {line}" for line in lines)

    def get(self, keys: Sequence[str], origin: Origin) -> dict[str, Response]:
        """The sound answers among `keys` that have not expired; none of them is an error."""
        if self._connection is None or self.fresh or not self._readable:
            return {}
        now = time.time()
        oldest = -1.0 if origin.expires_after_s is None else now - origin.expires_after_s
        known = {origin.cache_key(key): key for key in keys}
        found: dict[str, Response] = {}
        for key, created, used, found_sum, body in self._rows(_COLUMNS, list(known)):
            response = sound_response(key, created, found_sum, body)
            if response is None:
                self.damaged += 1
            elif created >= oldest:
                found[known[key]] = response
                if used < now - _USED_STEP_S:
                    self._used[key] = now
        self.read[origin.name] += len(found)
        return found

    def absent(self, keys: Sequence[str], origin: Origin) -> list[str]:
        """Those of `keys` that the cache has no answer of."""
        if self._connection is None or not (self._readable and self._writable):
            return []
        known = {origin.cache_key(key): key for key in keys}
        pending = [str(row[0]) for _, row in self._pending]
        for key in (*pending, *(row[0] for row in self._rows("key", list(known)))):
            known.pop(key, None)
        return list(known.values())

    def put(self, responses: Mapping[str, Response], origin: Origin) -> None:
        """Adds answers, soon; errors are no answers. An older answer is replaced."""
        if self._connection is None or not self._writable:
            return
        now = time.time()
        for key, response in responses.items():
            if response.error is None:
                self._pending.append((origin, _row(key, origin, response, now)))
        due = time.monotonic() - self._flushed >= _FLUSH_S
        if due or len(self._pending) >= _FLUSH_ROWS:
            self._flush()

    def spared(self, names: Iterable[str]) -> bool:
        """Whether answers of all those models were served, and none was added."""
        self._flush()
        return all(self.read[name] and not self.written[name] for name in names)

    def close(self) -> None:
        """Writes what is left, and closes."""
        if self._connection is not None:
            self._flush()
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()

    def _rows(self, columns: str, keys: list[str]) -> Iterator[tuple[Any, ...]]:
        """Rows of `keys`; where the file is damaged, those that can still be reached."""
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            try:
                yield from self._select(columns, chunk)
            except sqlite3.Error as error:
                if _is_busy(error):
                    self._readable = False
                    self._tell(f"not read any further: locked for long ({error})")
                    return
                yield from self._one_by_one(columns, chunk)

    def _one_by_one(self, columns: str, keys: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for key in keys:
            try:
                yield from self._select(columns, [key])
            except sqlite3.Error:
                self.damaged += 1

    def _select(self, columns: str, keys: Sequence[str]) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        marks = ",".join("?" * len(keys))
        return self._connection.execute(
            f"SELECT {columns} FROM answers WHERE key IN ({marks})", keys
        ).fetchall()

    def _flush(self) -> None:
        """One short transaction; when it fails, nothing more is written by this process."""
        self._flushed = time.monotonic()
        rows, used = self._pending, self._used
        self._pending, self._used = [], {}
        if not (rows or used) or not self._writable:
            return
        try:
            self._write(rows, used)
        except sqlite3.Error as error:
            self._writable = False
            self._tell(f"answers cannot be added ({error}): the run has them all the same")
        else:
            self.written.update(origin.name for origin, _ in rows)

    def _write(
        self, rows: Sequence[tuple[Origin, tuple[object, ...]]], used: Mapping[str, float]
    ) -> None:
        connection = self._connection
        assert connection is not None
        with transaction(connection):
            models = {
                origin.fingerprint + origin.name: _model_id(connection, origin)
                for origin in {o.fingerprint + o.name: o for o, _ in rows}.values()
            }
            connection.executemany(
                "INSERT OR REPLACE INTO answers (model, key, created, used, bytes, cost_usd, "
                "suite, kdeval, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(models[origin.fingerprint + origin.name], *row) for origin, row in rows],
            )
            connection.executemany(
                "UPDATE answers SET used = ? WHERE key = ?",
                [(moment, key) for key, moment in used.items()],
            )

    def _unusable(self, error: Exception) -> StoreError:
        detail = " ".join(str(error).split()).removeprefix(f"{self.directory}: ")
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        verify = f"kdeval cache verify {shlex.quote(str(self.directory))} --repair"
        mended = f"`{verify}` mends it; or " if damaged else ""
        return StoreError(
            f"cache {self.directory} cannot be used ({detail}), and without it every answer would "
            f"be asked again: {mended}name another directory with --cache"
        )

    def _tell(self, problem: str) -> None:
        self._problems[problem] = None


def _row(key: str, origin: Origin, response: Response, now: float) -> tuple[object, ...]:
    body = encode_response(response)
    name = origin.cache_key(key)
    size = ROW_BYTES + len(body.encode("utf-8", "surrogatepass"))
    return (
        name, now, now, size, response.cost_usd, origin.suites.get(key), __version__,
        checksum(name, now, body), body,
    )  # fmt: skip


def _model_id(connection: sqlite3.Connection, origin: Origin) -> int:
    described = (origin.fingerprint, origin.name, origin.type)
    connection.execute(
        "INSERT OR IGNORE INTO models (fingerprint, name, type) VALUES (?, ?, ?)", described
    )
    found = connection.execute(
        "SELECT id FROM models WHERE fingerprint = ? AND name = ? AND type = ?", described
    )
    return int(found.fetchone()[0])


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
