"""The file of a shared cache: `answers.sqlite`, one row an answer, each with a checksum.

Many processes may read and write it. Transactions are short, and the journal is a rollback journal
everywhere: WAL needs memory that all writers share, and a cache directory is just what is mounted
on several machines. Who uses the directory holds `lock` shared; only a rebuild takes it alone.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from pathlib import Path
from typing import IO

from kdeval.errors import StoreError
from kdeval.records import Response
from kdeval.store.response_json import decode_response

__all__ = [
    "CACHE_FILE",
    "ROW_BYTES",
    "checksum",
    "connect",
    "directory_lock",
    "is_writable",
    "sound_response",
]

CACHE_FILE = "answers.sqlite"
CACHE_VERSION = 1
LOCK_FILE = "lock"
ROW_BYTES = 300
"""What a row takes besides its body: the key twice, checksum, suite and numbers."""

_WAIT_S = 30
_TABLES = f"""
PRAGMA auto_vacuum=INCREMENTAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS models (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
    UNIQUE (fingerprint, name, type)
);
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, model INTEGER NOT NULL,
    created REAL NOT NULL, used REAL NOT NULL, bytes INTEGER NOT NULL, cost_usd REAL,
    suite TEXT, kdeval TEXT NOT NULL, checksum TEXT NOT NULL, body TEXT NOT NULL
);
PRAGMA user_version={CACHE_VERSION};
COMMIT;
"""


def checksum(key: str, created: float, body: str) -> str:
    """32 hexadecimal digits over all of a row that an answer depends on."""
    content = f"{key}\0{created!r}\0{body}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def sound_response(key: str, created: float, found: str, body: str) -> Response | None:
    """What a row holds; None where it is damaged, or of a kdeval that knows other fields."""
    try:
        if checksum(key, created, body) != found:
            return None
        response = decode_response(body)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return response if response.error is None else None


def is_writable(directory: Path) -> bool:
    """Whether answers can be added there."""
    file = directory / CACHE_FILE
    return os.access(directory, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def connect(directory: Path, *, writable: bool = True) -> sqlite3.Connection:
    """The cache in `directory`, made when it is missing and `writable`.

    Raises:
        StoreError: it comes from another version, or is none.
        sqlite3.Error: it is damaged or cannot be opened.
    """
    file = directory / CACHE_FILE
    mode = "rwc" if writable else "ro"
    connection = sqlite3.connect(
        f"{file.resolve().as_uri()}?mode={mode}", uri=True, timeout=_WAIT_S, isolation_level=None
    )
    try:
        connection.text_factory = _lenient
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and writable:
            connection.executescript(_TABLES)
        elif version != CACHE_VERSION:
            raise StoreError(
                f"{file}: cache version {version}, but this kdeval reads {CACHE_VERSION}; give "
                "another directory"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _lenient(raw: bytes) -> str:
    """Damaged text becomes text that its checksum refuses, not an error of the whole query."""
    return raw.decode("utf-8", "backslashreplace")


def directory_lock(directory: Path, *, alone: bool = False) -> IO[str] | None:
    """The lock of those who use the cache, held until it is closed; None where there can be none.

    Args:
        directory: of the cache.
        alone: shared with nobody.

    Raises:
        StoreError: somebody else holds it so that it cannot be had.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        handle = (directory / LOCK_FILE).open("a+", encoding="utf-8")
    except OSError:
        return None
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StoreError(
            f"{directory}: the cache is in use by another kdeval process"
            + ("; wait until it is done" if alone else ", which rebuilds it")
        ) from None
    return handle
