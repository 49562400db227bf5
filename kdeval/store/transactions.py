"""What all SQLite files of kdeval's share: transactions, and being closed at the end of a block."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

__all__ = ["Closing", "transaction"]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Around writing: all of it is there at the end of the block, and none where the block raises.

    Others that write wait from its beginning on. The connection is one that begins no transaction
    by itself (`isolation_level=None`).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # not where Ctrl-C came right after COMMIT
            connection.execute("ROLLBACK")
        raise


class Closing(ABC):
    """Closed at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Nothing can be done with it any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
