"""Keys and values of the rows of a running batch, each row in a slot of its own."""

from __future__ import annotations

from typing import Any

import torch
import transformers

__all__ = ["SlotCache", "expanded"]

_STEP = 64
"""Columns are added so many at a time: growing copies everything."""


class SlotCache(transformers.DynamicCache):  # type: ignore[misc]
    """Rows of different lengths that need no common beginning or end.

    Row i holds its tokens from column 0 on, whatever other rows hold. A forward pass adds one
    token to every row, in place; rows join at the end, and the last one takes the place of one
    that leaves. So no step copies what is there.

    Attributes:
        lengths: tokens of each row.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self._slots = slots
        self._buffers: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._rows = self._columns = torch.empty(0, dtype=torch.long)
        self.lengths: list[int] = []

    def join(self, cache: Any, row: int, hole: tuple[int, int]) -> None:
        """One more row: what `cache` holds of that row, but for the columns of `hole`."""
        start, end = hole
        length = int(cache.layers[0].keys.shape[-2]) - (end - start)
        self._reserve(cache, length)
        place = len(self.lengths)
        for buffers, layer in zip(self._buffers, cache.layers, strict=True):
            for buffer, states in zip(buffers, (layer.keys, layer.values), strict=True):
                buffer[place, :, :start] = states[row, :, :start]
                buffer[place, :, start:length] = states[row, :, end:]
        self.lengths.append(length)

    def leave(self, place: int) -> None:
        """That row goes; the last one has its place now."""
        last = len(self.lengths) - 1
        length = self.lengths[last]
        if place != last:
            for buffers in self._buffers:
                for buffer in buffers:
                    buffer[place, :, :length] = buffer[last, :, :length]
            self.lengths[place] = length
        self.lengths.pop()

    def clear(self, place: int) -> None:
        """Numbers that are not finite would reach later rows of the slot through any mask."""
        for buffers in self._buffers:
            for buffer in buffers:
                buffer[place] = 0

    def expect_token(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Makes room for one more token a row.

        Returns:
            The token's position in each row, shape (rows, 1), and which columns each row sees
            then, shape (rows, width).
        """
        self._widen(max(self.lengths) + 1)
        positions = torch.tensor(self.lengths)
        self.lengths = [length + 1 for length in self.lengths]
        device = self._buffers[0][0].device
        self._rows = torch.arange(len(positions), device=device)
        self._columns = positions.to(device)
        return positions[:, None], torch.arange(max(self.lengths)) <= positions[:, None]

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int,
               *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        """Puts each row's token behind its others; keys and values of all rows, to the width."""
        keys, values = self._buffers[layer_idx]
        keys[self._rows, :, self._columns] = key_states[:, :, 0]
        values[self._rows, :, self._columns] = value_states[:, :, 0]
        rows, width = len(self.lengths), max(self.lengths)
        return keys[:rows, :, :width], values[:rows, :, :width]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns before the token that is being added."""
        return max(self.lengths, default=1) - 1

    def _reserve(self, cache: Any, width: int) -> None:
        if not self._buffers:
            self._buffers = [
                (_room(layer.keys, self._slots, width), _room(layer.values, self._slots, width))
                for layer in cache.layers
            ]
        self._widen(width)

    def _widen(self, width: int) -> None:
        """One buffer after the other, so that hardly more than one is there twice."""
        if width <= self._buffers[0][0].shape[-2]:
            return
        for index, buffers in enumerate(self._buffers):
            self._buffers[index] = (_wider(buffers[0], width), _wider(buffers[1], width))


def expanded(cache: Any, tokens: int, rows: int) -> Any:
    """A cache of so many rows that all begin with the first tokens of `cache`, which has one."""
    found = transformers.DynamicCache()
    for index, layer in enumerate(cache.layers):
        keys, values = (
            states[..., :tokens, :].expand(rows, -1, -1, -1)
            for states in (layer.keys, layer.values)
        )
        found.update(keys, values, index)
    return found


def _room(like: torch.Tensor, slots: int, width: int) -> torch.Tensor:
    """Zeros, as what a mask hides must be finite; shape (slots, heads, columns, size)."""
    _, heads, _, size = like.shape
    return like.new_zeros((slots, heads, _columns(width), size))


def _wider(buffer: torch.Tensor, width: int) -> torch.Tensor:
    found = _room(buffer, len(buffer), width)
    found[:, :, : buffer.shape[-2]] = buffer
    return found


def _columns(width: int) -> int:
    return -(-width // _STEP) * _STEP
