"""What is known of a model whose answers were computed in other processes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What the workers that answered for a model say of it.

    Attributes:
        workers: how many there were at a time, at most.
        device: kinds of device, where they differ with commas.
        peak_memory_bytes: of the worker that took the most.
        notes: of the model, each once, and of workers that died.
    """

    workers: int
    device: str | None = None
    dtype: str | None = None
    parameters: int | None = None
    peak_memory_bytes: int | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def merged(cls, several: Iterable[Elsewhere]) -> Elsewhere:
        """Of several pools of workers, or of workers one by one."""
        every = list(several)
        peaks = [one.peak_memory_bytes for one in every if one.peak_memory_bytes is not None]
        return cls(
            workers=max((one.workers for one in every), default=0),
            device=_listed(one.device for one in every),
            dtype=_listed(one.dtype for one in every),
            parameters=next((one.parameters for one in every if one.parameters is not None), None),
            peak_memory_bytes=max(peaks, default=None),
            notes=tuple(dict.fromkeys(note for one in every for note in one.notes)),
        )


def _listed(values: Iterable[str | None]) -> str | None:
    return ", ".join(dict.fromkeys(value for value in values if value)) or None
