"""A model whose labels and texts a data file holds, for runs with suites of two kinds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kdeval.models.protocols import Request
from kdeval.records import Response


class BothColumns:
    """Answers labels from one column of a JSONL file and texts from another."""

    answers_by_id = True

    def __init__(self, path: str, column: str) -> None:
        self.fingerprint = f"both {column}"
        self._column = column
        lines = Path(path).read_text().splitlines()
        self._rows = {row["id"]: row for row in map(json.loads, lines)}

    def classify(self, requests: Sequence[Request]) -> list[Response]:
        """The label."""
        return [Response(output=self._rows[r.sample_id][self._column]) for r in requests]

    def generate(self, requests: Sequence[Request]) -> list[Response]:
        """The text."""
        return [Response(output=self._rows[r.sample_id][f"{self._column}_text"]) for r in requests]
