"""What a cache holds, model by model, and taking out what is old, unused or too much."""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kdeval.config.yaml_file import nearest
from kdeval.errors import StoreError, UsageError
from kdeval.store.cache.database import CACHE_FILE, connect, directory_lock, is_writable

__all__ = ["CachedModel", "Prune", "cached_models", "days_ago", "opened", "prune"]

_CHUNK = 500
_PAGES = 2_000
_SHORTEST_FINGERPRINT = 4
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedModel:
    """The answers of one model.

    Attributes:
        priced: how many of the answers have a known cost.
        cost_usd: what those cost when they were made.
        bytes: of the rows, roughly what they take on disk.
        oldest: when the oldest answer was added, in seconds since 1970.
        used: when one of them was last served or added, to the day.
    """

    name: str
    type: str
    fingerprint: str
    suites: tuple[str, ...]
    answers: int
    priced: int
    cost_usd: float
    bytes: int
    oldest: float
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """What is to go: answers to which all of the first three apply, then the least used.

    Attributes:
        added_before: only those added before then, in seconds since 1970.
        used_before: only those last used before then.
        model: only those of the model of that name, or whose fingerprint begins so.
        keep_bytes: of what is left then, the least recently used answers that are over this.
    """

    added_before: float | None = None
    used_before: float | None = None
    model: str | None = None
    keep_bytes: int | None = None


@contextmanager
def opened(directory: Path, *, writable: bool = False) -> Iterator[sqlite3.Connection]:
    """The cache in `directory`, which must be there.

    Raises:
        StoreError: there is none, or it is damaged, locked for long, or being rebuilt.
    """
    file = directory / CACHE_FILE
    if not file.is_file():
        made = shlex.join(["kdeval", "run", "--cache", str(directory)])
        raise StoreError(
            f"{directory} holds no cache: `{made}` makes one, and KDEVAL_CACHE names the one that "
            "is meant"
        )
    if writable and not is_writable(directory):
        raise StoreError(f"{directory}: the cache is not writable here")
    lock = directory_lock(directory)
    try:
        connection = connect(directory, writable=is_writable(directory))
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(
            f"{file} cannot be used ({' '.join(str(error).split())}); `kdeval cache verify "
            f"{directory} --repair` saves what can be read"
        ) from error
    finally:
        if lock is not None:
            lock.close()


def cached_models(connection: sqlite3.Connection) -> tuple[CachedModel, ...]:
    """Every model with answers, the one that takes most first."""
    rows = connection.execute(
        "SELECT m.name, m.type, m.fingerprint, group_concat(DISTINCT a.suite), count(*), "
        "count(a.cost_usd), total(a.cost_usd), sum(a.bytes), min(a.created), max(a.used) "
        "FROM answers a JOIN models m ON m.id = a.model GROUP BY m.id "
        "ORDER BY sum(a.bytes) DESC, m.name, m.id"
    ).fetchall()
    return tuple(_model(row) for row in rows)


def _model(
    row: tuple[str, str, str, str | None, int, int, float, int, float, float],
) -> CachedModel:
    name, kind, fingerprint, suites, answers, priced, cost, size, oldest, used = row
    return CachedModel(
        name=name,
        type=kind,
        fingerprint=fingerprint,
        suites=tuple(sorted((suites or "").split(","))) if suites else (),
        answers=answers,
        priced=priced,
        cost_usd=cost,
        bytes=size,
        oldest=oldest,
        used=used,
    )


def prune(
    connection: sqlite3.Connection, what: Prune, *, dry_run: bool = False
) -> tuple[CachedModel, ...]:
    """What went (or would go), by model; the file gets smaller by it.

    Raises:
        UsageError: no model is called so.
    """
    connection.execute("CREATE TEMP TABLE going (id INTEGER PRIMARY KEY)")
    _choose(connection, what)
    gone = _going(connection)
    if not dry_run:
        _remove(connection)
    return gone


def _choose(connection: sqlite3.Connection, what: Prune) -> None:
    conditions, values = _conditions(connection, what)
    if conditions:
        connection.execute(
            f"INSERT INTO going SELECT id FROM answers WHERE {' AND '.join(conditions)}", values
        )
    if what.keep_bytes is not None:
        connection.execute(
            "INSERT INTO going SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY used DESC, "
            "created DESC, id DESC) AS kept FROM answers WHERE id NOT IN going) WHERE kept > ?",
            (what.keep_bytes,),
        )


def _conditions(
    connection: sqlite3.Connection, what: Prune
) -> tuple[list[str], list[float | str | int]]:
    conditions: list[str] = []
    values: list[float | str | int] = []
    for column, before in (("created", what.added_before), ("used", what.used_before)):
        if before is not None:
            conditions.append(f"{column} < ?")
            values.append(before)
    if what.model is not None:
        found = _ids(connection, what.model)
        conditions.append(f"model IN ({','.join('?' * len(found))})")
        values.extend(found)
    return conditions, values


def _ids(connection: sqlite3.Connection, model: str) -> list[int]:
    rows = connection.execute("SELECT id, name, fingerprint FROM models").fetchall()
    long_enough = len(model) >= _SHORTEST_FINGERPRINT
    found = [
        number
        for number, name, fingerprint in rows
        if name == model or (long_enough and fingerprint.startswith(model))
    ]
    if not found:
        names = {name for _, name, _ in rows}
        raise UsageError(f"--model: the cache has no model {model!r}; {nearest(model, names)}")
    return found


def _going(connection: sqlite3.Connection) -> tuple[CachedModel, ...]:
    rows = connection.execute(
        "SELECT m.name, m.type, m.fingerprint, NULL, count(*), count(a.cost_usd), "
        "total(a.cost_usd), sum(a.bytes), min(a.created), max(a.used) FROM answers a "
        "JOIN going g ON g.id = a.id JOIN models m ON m.id = a.model GROUP BY m.id "
        "ORDER BY sum(a.bytes) DESC, m.name, m.id"
    ).fetchall()
    return tuple(_model(row) for row in rows)


def _remove(connection: sqlite3.Connection) -> None:
    """In short transactions, so that runs that use the cache wait for none of them long."""
    chosen = [row[0] for row in connection.execute("SELECT id FROM going").fetchall()]
    for start in range(0, len(chosen), _CHUNK):
        chunk = chosen[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        connection.execute(f"DELETE FROM answers WHERE id IN ({marks})", chunk)
    connection.execute("DELETE FROM models WHERE id NOT IN (SELECT DISTINCT model FROM answers)")
    while connection.execute("PRAGMA freelist_count").fetchone()[0]:
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()


def days_ago(days: float) -> float:
    """That many days before now, in seconds since 1970."""
    return time.time() - days * _DAY_S
