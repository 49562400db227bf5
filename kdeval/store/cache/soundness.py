"""Whether every answer of a cache is as it was written, and saving those that are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeval.errors import StoreError
from kdeval.store.cache.database import (
    CACHE_FILE,
    connect,
    directory_lock,
    is_writable,
    sound_response,
)
from kdeval.store.transactions import transaction

__all__ = ["Soundness", "rebuild", "remove_damaged", "verify"]

_CHUNK = 500
_MOST_SINGLE = 100_000
_COLUMNS = "id, key, model, created, used, bytes, cost_usd, suite, kdeval, checksum, body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """What a verification found.

    Attributes:
        answers: rows that could be read.
        damaged: ids of those whose checksum or content is not what was written.
        damaged_of: how many of them are whose; "?" where that is lost, too.
        structure: what is wrong with the file itself, a line each; none: nothing.
    """

    answers: int
    damaged: tuple[int, ...]
    damaged_of: Mapping[str, int]
    structure: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong."""
        return not self.damaged and not self.structure


def verify(directory: Path) -> Soundness:
    """Every row and the file around them, checked.

    Raises:
        StoreError: there is no cache, it is of another version, or it is being rebuilt.
    """
    _require(directory)
    lock = directory_lock(directory)
    try:
        with closing(connect(directory, writable=is_writable(directory))) as connection:
            return _verified(connection)
    except sqlite3.Error as error:
        return Soundness(
            answers=0, damaged=(), damaged_of={}, structure=(" ".join(str(error).split()),)
        )
    finally:
        if lock is not None:
            lock.close()


def _verified(connection: sqlite3.Connection) -> Soundness:
    structure = [
        " ".join(str(row[0]).split())
        for row in connection.execute("PRAGMA integrity_check(8)").fetchall()
        if row[0] != "ok"
    ]
    names = _names(connection)
    answers, damaged, of = 0, list[int](), Counter[str]()
    for row in _rows(connection):
        answers += 1
        if not _is_sound(row):
            damaged.append(row[0])
            of[names.get(row[2], "?")] += 1
    return Soundness(
        answers=answers, damaged=tuple(damaged), damaged_of=dict(of), structure=tuple(structure)
    )


def remove_damaged(directory: Path, found: Soundness) -> None:
    """Takes out the rows that a verification found; others may use the cache meanwhile."""
    lock = directory_lock(directory)
    try:
        with closing(connect(directory)) as connection:
            for start in range(0, len(found.damaged), _CHUNK):
                chunk = found.damaged[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                connection.execute(f"DELETE FROM answers WHERE id IN ({marks})", chunk)
    finally:
        if lock is not None:
            lock.close()


def rebuild(directory: Path) -> int:
    """How many answers were saved into a new file, which takes the place of the old one.

    Raises:
        StoreError: another process uses the cache.
    """
    lock = directory_lock(directory, alone=True)
    made = directory / "rebuilt"
    try:
        made.mkdir(exist_ok=True)
        for left in made.iterdir():
            left.unlink()
        with closing(connect(made)) as target:
            saved = _save(directory, target)
        (directory / f"{CACHE_FILE}-journal").unlink(missing_ok=True)
        (made / CACHE_FILE).replace(directory / CACHE_FILE)
        made.rmdir()
    finally:
        if lock is not None:
            lock.close()
    return saved


def _save(directory: Path, target: sqlite3.Connection) -> int:
    try:
        source = connect(directory)
    except (sqlite3.Error, StoreError):
        return 0
    with closing(source):
        models = _every(source, "SELECT id, fingerprint, name, type FROM models")
        known = {row[0] for row in models}
        with transaction(target):
            target.executemany("INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?)", models)
            target.execute("INSERT OR IGNORE INTO models VALUES (0, '?', '?', '?')")
            for row in _rows(source):
                if _is_sound(row):
                    model = row[2] if row[2] in known else 0
                    target.execute(
                        f"INSERT OR IGNORE INTO answers ({_COLUMNS}) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (*row[:2], model, *row[3:]),
                    )
            target.execute(
                "DELETE FROM models WHERE id NOT IN (SELECT DISTINCT model FROM answers)"
            )
        return int(target.execute("SELECT count(*) FROM answers").fetchone()[0])


def _is_sound(row: tuple[Any, ...]) -> bool:
    _, key, _, created, _, _, _, _, _, found, body = row
    return sound_response(key, created, found, body) is not None


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Every row that can be reached: from the first on, from the last back, then one by one."""
    low, high = 0, 2**62
    while chunk := _chunk(connection, f"id > {low} ORDER BY id"):
        yield from chunk
        low = chunk[-1][0]
    if chunk is not None:
        return
    while chunk := _chunk(connection, f"id > {low} AND id < {high} ORDER BY id DESC"):
        yield from chunk
        high = chunk[-1][0]
    for number in range(low + 1, min(high, low + _MOST_SINGLE)):
        yield from _chunk(connection, f"id = {number}") or ()


def _chunk(connection: sqlite3.Connection, where: str) -> list[tuple[Any, ...]] | None:
    """None where the file is damaged there."""
    try:
        return connection.execute(
            f"SELECT {_COLUMNS} FROM answers WHERE {where} LIMIT {_CHUNK}"
        ).fetchall()
    except sqlite3.Error:
        return None


def _every(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query).fetchall()
    except sqlite3.Error:
        return []


def _names(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(_every(connection, "SELECT id, name FROM models"))


def _require(directory: Path) -> None:
    if not (directory / CACHE_FILE).is_file():
        raise StoreError(f"{directory} holds no cache")
