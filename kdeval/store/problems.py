"""What is wrong with the rows of a file, told once however many rows it happens in."""

from __future__ import annotations

from pathlib import Path

from kdeval.errors import DataError
from kdeval.store.tables import position

__all__ = ["RowProblems"]

_SHOWN_MESSAGES = 8
_SHOWN_LINES = 3


class RowProblems:
    """Collects messages with the lines they belong to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: int, message: str) -> None:
        """Notes that `message` holds for the row that starts in `line`."""
        self._lines.setdefault(message, []).append(line)

    def raise_if_any(self) -> None:
        """Nothing, or a DataError with one line a message: the first position, and how many."""
        if not self._lines:
            return
        shown = list(self._lines.items())[:_SHOWN_MESSAGES]
        told = [
            f"{position(self.path, lines[0])}: {message}{_others(lines[1:])}"
            for message, lines in shown
        ]
        left = len(self._lines) - len(shown)
        if left:
            told.append(f"{self.path}: and {left} more problem{'s' * (left > 1)} of this kind")
        raise DataError("\n".join(told))


def _others(lines: list[int]) -> str:
    if not lines:
        return ""
    named = ", ".join(map(str, lines[:_SHOWN_LINES])) + (
        ", ..." if len(lines) > _SHOWN_LINES else ""
    )
    return f" (and {len(lines)} more row{'s' * (len(lines) > 1)}: line {named})"
