"""Where a torch model runs, in which dtype, and what to do when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from kdeval.errors import ModelError

__all__ = [
    "HalvingBatches",
    "PeakMemory",
    "choose_device",
    "choose_dtype",
    "other_device",
    "out_of_memory",
    "release_memory",
]

Answer = TypeVar("Answer")


def choose_device(wanted: str, *, name: str) -> str:
    """The device that was asked for; "auto": cuda, else mps, else cpu.

    Raises:
        ModelError: a CUDA device was asked for and torch sees none.
    """
    if wanted != "auto":
        if wanted.partition(":")[0] == "cuda" and not torch.cuda.is_available():
            raise ModelError(
                f"{name}: device {wanted!r} was asked for, but torch sees no CUDA "
                "device; use device: auto"
            )
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def other_device(device: str) -> str | None:
    """Another device that this machine has: the CPU of an accelerator, or the reverse; or None."""
    if device != "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def choose_dtype(wanted: str, device: str, stored: Callable[[], Any]) -> str:
    """The dtype's name; "auto": float32 on a CPU, else what `stored()` says the checkpoint has."""
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "float32"
    found = stored()
    return "float32" if found is None else str(found).removeprefix("torch.")


class HalvingBatches:
    """Work in batches of at most `limit`; where memory does not suffice, the limit is halved.

    The limit stays halved for later work.
    """

    def __init__(self, limit: int, device: str) -> None:
        self.limit = limit
        self._device = device

    def run(
        self, order: Sequence[int], compute: Callable[[list[int]], Sequence[Answer]]
    ) -> Iterator[tuple[int, Answer]]:
        """(index, answer) for every index of `order`; `compute` answers a list of them in order.

        Raises:
            Exception: what `compute` raises, memory running out for a single index included.
        """
        start = 0
        while start < len(order):
            chosen = list(order[start : start + self.limit])
            answers = self._attempt(chosen, compute)
            if answers is None:
                continue
            yield from zip(chosen, answers, strict=True)
            start += len(chosen)

    def _attempt(
        self, chosen: list[int], compute: Callable[[list[int]], Sequence[Answer]]
    ) -> Sequence[Answer] | None:
        try:
            return compute(chosen)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or len(chosen) == 1:
                raise
        self.halve(len(chosen))
        return None

    def halve(self, size: int) -> None:
        """Half of `size`, which was too much, is the limit from now on."""
        self.limit = max(1, size // 2)
        release_memory(self._device)


class PeakMemory:
    """The most memory a model took, its weights included, while it worked.

    What was there before the model worked, other models included, does not count. On CUDA it is
    what torch allocated; on a Linux CPU it is resident memory by the process's high-water mark;
    elsewhere it is unknown.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._weights = 0
        self.bytes: int | None = None

    def own(self, model: Any) -> None:
        """Counts the weights of `model`, and touches them so that all of them are resident."""
        self._weights = 0
        for tensor in (*model.parameters(), *model.buffers()):
            self._weights += tensor.numel() * tensor.element_size()
            if self._device == "cpu":
                tensor.detach().reshape(-1)[:: max(1, 4096 // tensor.element_size())].sum()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Counts what is allocated inside, by whomever."""
        before = self._reset()
        try:
            yield
        finally:
            after = self._peak()
            if before is not None and after is not None:
                found = self._weights + max(0, after - before)
                self.bytes = max(found, self.bytes or 0)

    def _reset(self) -> int | None:
        """Memory in use now, from where the peak is counted."""
        if self._device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self._device)
            return int(torch.cuda.memory_allocated(self._device))
        if self._device != "cpu":
            return None
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return None
        return _resident("VmRSS")

    def _peak(self) -> int | None:
        if self._device.startswith("cuda"):
            return int(torch.cuda.max_memory_allocated(self._device))
        return _resident("VmHWM")


def _resident(name: str) -> int | None:
    """That line of the kernel's account of this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def release_memory(device: str) -> None:
    """Gives back what nothing refers to any more."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory, of whichever device, did not suffice."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "out of memory" in str(error).lower() or "can't allocate memory" in str(error).lower()
