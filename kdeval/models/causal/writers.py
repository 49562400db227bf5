"""A writer for each way of choosing tokens that requests ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kdeval.models.causal.sampling import Writing
from kdeval.models.causal.token_choice import TokenChoice
from kdeval.models.causal.writing import Writer, Written

__all__ = ["Writers"]


class Writers:
    """Has texts written together whose tokens are chosen alike.

    Args:
        make: a writer that chooses tokens so.
    """

    def __init__(self, make: Callable[[TokenChoice], Writer]) -> None:
        self._make = make
        self._writers: dict[str, Writer] = {}

    @property
    def note(self) -> str | None:
        """What is to be said of how they write, or None."""
        found = (writer.note for writer in self._writers.values())
        return next((note for note in found if note is not None), None)

    def write(self, asked: Sequence[Writing]) -> list[list[Written]]:
        """For each request one text a job, in order."""
        groups: dict[str, list[int]] = {}
        for index, item in enumerate(asked):
            groups.setdefault(item.settings.model_dump_json(), []).append(index)
        found: dict[int, list[Written]] = {}
        for way, group in groups.items():
            if way not in self._writers:
                self._writers[way] = self._make(TokenChoice(asked[group[0]].settings))
            jobs = [job for index in group for job in asked[index].jobs]
            written = iter(self._writers[way].write(jobs))
            found.update((index, [next(written) for _ in asked[index].jobs]) for index in group)
        return [found[index] for index in range(len(asked))]
