"""What models have spent, in a run's store: written from any thread, before money goes out."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdeval.errors import StoreError
from kdeval.store.transactions import Closing, transaction

__all__ = ["SpendingBook", "Spent", "begin_with", "spent_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """US dollars of one account.

    Attributes:
        paid_usd: for answers whose cost is known.
        unclear_usd: the most that may have been paid beside it: for answers that were lost, and
            for what is in the air, which a killed command leaves here.
    """

    paid_usd: float = 0.0
    unclear_usd: float = 0.0


class SpendingBook(Closing):
    """Sums by account, beside the answers in a store's file; they outlive the answers.

    It has a connection of its own, because money is reserved from another thread than the one that
    stores answers.
    """

    def __init__(self, path: Path) -> None:
        """Opens the book in the file at `path`, where its tables are made when they are missing."""
        self._path = path
        self._lock = threading.Lock()
        with self._guard():
            self._connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=NORMAL")
            for table in ("spent", "maybe_spent"):
                self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} "
                    "(account TEXT PRIMARY KEY, usd REAL NOT NULL) WITHOUT ROWID"
                )

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path} cannot be written ({error}), so what is spent cannot be noted: free "
                "disk space if it is full; the same command goes on"
            ) from error

    def read(self, account: str) -> Spent:
        """What was noted under that account."""
        return self.every().get(account, Spent())

    def every(self) -> dict[str, Spent]:
        """By account, what was noted."""
        with self._guard():
            paid, unclear = (
                dict(self._connection.execute(f"SELECT account, usd FROM {table}").fetchall())
                for table in ("spent", "maybe_spent")
            )
        return {
            account: Spent(paid_usd=paid.get(account, 0.0), unclear_usd=unclear.get(account, 0.0))
            for account in paid.keys() | unclear.keys()
        }

    def note(self, sums: Mapping[str, Spent]) -> None:
        """Puts these in the place of what was noted under their accounts, in one transaction."""
        with self._guard(), transaction(self._connection):
            for table, name in (("spent", "paid_usd"), ("maybe_spent", "unclear_usd")):
                self._connection.executemany(
                    f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (account) DO UPDATE "
                    "SET usd = excluded.usd",
                    [(account, getattr(spent, name)) for account, spent in sums.items()],
                )

    def close(self) -> None:
        """Nothing can be noted any more, and so nothing reserved."""
        with self._lock:
            self._connection.close()


def spent_in(store: Path) -> dict[str, Spent]:
    """By account, what is noted in the store at that path; nothing where it cannot be read."""
    if not store.exists():
        return {}
    try:
        with SpendingBook(store) as book:
            return book.every()
    except StoreError:
        return {}


def begin_with(store: Path, sums: Mapping[str, Spent]) -> None:
    """Makes a store without answers in which these sums are noted; none where there are none."""
    if not sums:
        return
    made = store.with_name(f"{store.name}.new")
    made.unlink(missing_ok=True)
    with SpendingBook(made) as book:
        book.note(sums)
    os.replace(made, store)
