"""The whole rounds of a probe, kept while it lasts, so that none is paid for twice.

A later command goes on with those of the same probe (its models, requests and settings) on the same
machine, within a day of the first: figures are of one time and place, however often it was
interrupted.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdeval.errors import StoreError

__all__ = ["ROUNDS_FILE", "KeptRounds"]

ROUNDS_FILE = "latency.rounds.json"

_A_DAY_S = 86_400

Rows = Sequence[Mapping[str, Any]]


class KeptRounds:
    """Rounds by their place, in a file that always holds whole ones."""

    def __init__(self, file: Path, digest: str) -> None:
        """Reads what an earlier command left.

        Args:
            file: its place, which need not exist.
            digest: of the probe.
        """
        self._file = file
        self._probe = [digest, platform.node()]
        self._begun = time.time()
        self._rounds: list[Rows] = []
        try:
            left = json.loads(file.read_bytes())
            if left["probe"] == self._probe and 0 <= self._begun - left["begun"] < _A_DAY_S:
                self._begun, self._rounds = left["begun"], list(left["rounds"])
        except (OSError, ValueError, KeyError, TypeError):  # none, or no file of ours
            return

    @property
    def rounds(self) -> Sequence[Rows]:
        """The rows of each round, from the first on."""
        return tuple(self._rounds)

    def add(self, rows: Rows) -> None:
        """Keeps the next round; it is on disk when this returns.

        Raises:
            StoreError: it cannot be written.
        """
        self._rounds.append(rows)
        partial = self._file.with_name(f"{self._file.name}.partial")
        content = {"probe": self._probe, "begun": self._begun, "rounds": self._rounds}
        try:
            partial.write_text(json.dumps(content), encoding="utf-8")
            partial.replace(self._file)
        except OSError as error:
            raise StoreError(
                f"{self._file} cannot be written ({error.strerror}): free disk space if it is "
                "full; the same command goes on"
            ) from error

    def forget(self) -> None:
        """The probe is done: its measurements lie elsewhere."""
        self._file.unlink(missing_ok=True)
