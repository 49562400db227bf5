"""The prediction store: every response once, keyed by content, safe against being killed.

One writer at a time (a lock file held by the process), one transaction per batch, so that a kill
loses at most the batch in flight. WAL on a local disk, a rollback journal on a network file
system, where WAL is unsafe; a checkpoint on close leaves a single file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from kdeval.errors import StoreError
from kdeval.records import Response
from kdeval.store.cache.origin import Origin
from kdeval.store.cache.shared import SharedCache
from kdeval.store.response_json import decode_response, encode_response
from kdeval.store.spending import SpendingBook
from kdeval.store.transactions import Closing, transaction

__all__ = ["PredictionStore", "response_key", "writer_lock"]

STORE_VERSION = 1
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "fuse.sshfs")
_CHUNK = 500
_COPIED = 5_000
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def response_key(model_fingerprint: str, request: Mapping[str, Any], replicate: int = 0) -> str:
    """64 hexadecimal digits: SHA-256 of (model fingerprint, request content, replicate).

    The fingerprint covers weights, tokenizer, template, dtype and decoding, so that a student
    can never be served the teacher's answer, nor a model its own from before a change.
    """
    content = _CANONICAL.encode([model_fingerprint, request, replicate])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


class PredictionStore(Closing):
    """Responses by key, in `predictions.sqlite` of a run directory.

    Use it as a context manager. Raises `StoreError` when another process writes there, the file
    is corrupted, or it comes from another version.
    """

    def __init__(self, path: Path, *, shared: SharedCache | None = None) -> None:
        """Opens the store, which is made when it is missing.

        Args:
            path: its file.
            shared: where answers of models with an `Origin` are looked up and added, too; what it
                has is copied, so that a run directory stays whole on its own.
        """
        self.path = path
        self.shared = shared
        self._lock = writer_lock(path)
        try:
            self._connection = self._open()
            self.spending = SpendingBook(path)
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> sqlite3.Connection:
        with self._guard():
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            journal = "DELETE" if _on_network(self.path) else "WAL"
            connection.execute(f"PRAGMA journal_mode={journal}")
            connection.execute("PRAGMA synchronous=NORMAL")
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                with transaction(connection):
                    connection.execute(
                        "CREATE TABLE responses (key TEXT PRIMARY KEY, failed INTEGER NOT NULL, "
                        "body TEXT NOT NULL) WITHOUT ROWID"
                    )
                    connection.execute(f"PRAGMA user_version={STORE_VERSION}")
            elif version != STORE_VERSION:
                raise StoreError(
                    f"{self.path}: store version {version}, but this kdeval writes "
                    f"{STORE_VERSION}; start over with --fresh, or in another --out"
                )
            return connection

    @contextlib.contextmanager
    def _guard(self) -> Any:
        try:
            yield
        except (sqlite3.DatabaseError, json.JSONDecodeError, KeyError, TypeError) as error:
            detail = " ".join(str(error).split())
            raise StoreError(
                f"{self.path} is corrupted or cannot be written ({detail}); free disk space if it "
                "is full, restore a copy, or start over with --fresh"
            ) from error

    def get(self, keys: Sequence[str]) -> dict[str, Response]:
        """The responses that are there among `keys`."""
        found: dict[str, Response] = {}
        with self._guard():
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._connection.execute(
                    f"SELECT key, body FROM responses WHERE key IN ({marks})", chunk
                )
                for key, body in rows:
                    found[key] = decode_response(body)
        return found

    def answered(self, keys: Iterable[str], origin: Origin | None = None) -> set[str]:
        """Those of `keys` with a response that is no error; errors are worth asking again.

        Args:
            keys: of one model's requests.
            origin: whose they are, where the answers may be shared.
        """
        keys = list(keys)
        found = self._answered(keys)
        if self.shared is None or origin is None:
            return found
        for start in range(0, len(keys), _COPIED):
            chunk = keys[start : start + _COPIED]
            copied = self.shared.get([key for key in chunk if key not in found], origin)
            self.put(copied)
            if origin.expires_after_s is None:
                own = [key for key in chunk if key in found]
                self.shared.put(self.get(self.shared.absent(own, origin)), origin)
            found |= copied.keys()
        return found

    def _answered(self, keys: list[str]) -> set[str]:
        found: set[str] = set()
        with self._guard():
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._connection.execute(
                    f"SELECT key FROM responses WHERE failed = 0 AND key IN ({marks})", chunk
                )
                found.update(row[0] for row in rows)
        return found

    def put(self, responses: Mapping[str, Response], origin: Origin | None = None) -> None:
        """Writes a batch in one transaction; a response is replaced only where it was an error.

        Args:
            responses: by key.
            origin: who gave them, where they may be shared.
        """
        self._write(responses)
        if self.shared is not None and origin is not None:
            self.shared.put(responses, origin)

    def _write(self, responses: Mapping[str, Response]) -> None:
        rows = [
            (key, int(response.error is not None), encode_response(response))
            for key, response in responses.items()
        ]
        if not rows:
            return
        with self._guard(), transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO responses VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET failed = excluded.failed, body = excluded.body WHERE failed = 1",
                rows,
            )

    def clear(self) -> None:
        """Forgets every response."""
        with self._guard():
            self._connection.execute("DELETE FROM responses")

    def __len__(self) -> int:
        with self._guard():
            return int(self._connection.execute("SELECT count(*) FROM responses").fetchone()[0])

    def close(self) -> None:
        """Checkpoints, closes, and lets the next writer in."""
        self.spending.close()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._lock.close()


def writer_lock(store: Path) -> IO[str]:
    """The writer's lock of the store at that path, held until it is closed.

    Raises:
        StoreError: another process holds it.
    """
    path = store.with_name(store.name + ".lock")
    handle = path.open("a+", encoding="utf-8")
    try:
        _lock_file(handle)
    except OSError:
        handle.close()
        raise StoreError(
            f"{path.parent} is being written by another kdeval process; wait for it, or choose "
            "another --out"
        ) from None
    return handle


def _lock_file(handle: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _on_network(path: Path) -> bool:
    """Whether `path` is on a network file system, as far as the mount table tells."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    target = str(path.resolve().parent)
    best, kind = "", ""
    for line in mounts:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind.startswith(_NETWORK)
