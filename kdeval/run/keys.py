"""Keys of many responses, in 32 bytes each, or 40 where they are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["KeySet", "Keys"]

_SIZE = 32


class Keys(Sequence[str]):
    """Keys of responses (64 hexadecimal digits each), in order.

    A slice is again `Keys`; an element is the text that the store knows.
    """

    __slots__ = ("_digests",)

    def __init__(self, keys: Iterable[str] = ()) -> None:
        digests = bytearray()
        for key in keys:
            digests += bytes.fromhex(key)
        self._digests = memoryview(bytes(digests))

    @classmethod
    def _of(cls, digests: bytes | memoryview) -> Keys:
        found = cls()
        found._digests = memoryview(digests)
        return found

    def __len__(self) -> int:
        return len(self._digests) // _SIZE

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Keys: ...
    def __getitem__(self, index: int | slice) -> str | Keys:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return Keys(self[place] for place in range(start, stop, step))
            return self._of(self._digests[start * _SIZE : max(start, stop) * _SIZE])
        place = range(len(self))[index]
        return self._digests[place * _SIZE : (place + 1) * _SIZE].hex()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._digests), _SIZE):
            yield self._digests[start : start + _SIZE].hex()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and self._digests == other._digests

    def __hash__(self) -> int:
        return hash(bytes(self._digests))

    @classmethod
    def joined(cls, parts: Iterable[Keys]) -> Keys:
        """The keys of all parts, in order."""
        several = tuple(parts)
        if len(several) == 1:
            return several[0]
        return cls._of(b"".join(part._digests for part in several))

    def __reduce__(self) -> tuple[type[Keys], tuple[tuple[str, ...]]]:
        return Keys, (tuple(self),)

    def at(self, places: NDArray[np.int64]) -> Keys:
        """The keys at those places, in that order."""
        return self._of(self.digests[places].tobytes())

    @property
    def digests(self) -> NDArray[np.uint8]:
        """The keys as bytes, (n, 32)."""
        return np.frombuffer(self._digests, np.uint8).reshape(len(self), _SIZE)

    @property
    def starts(self) -> NDArray[np.uint64]:
        """The first eight bytes of each key as a number; as good as the key for sorting."""
        return np.ascontiguousarray(self.digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)


class KeySet(AbstractSet[str]):
    """Keys to look others up in."""

    __slots__ = ("_keys", "_starts")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        given = keys if isinstance(keys, Keys) else Keys(keys)
        starts = given.starts
        order = np.argsort(starts, kind="stable")
        digests, starts = given.digests[order], starts[order]
        again = np.flatnonzero(starts[1:] == starts[:-1])
        again = again[(digests[again] == digests[again + 1]).all(axis=1)]
        self._keys = given.at(np.delete(order, again))
        self._starts = np.delete(starts, again)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str) or not len(self._starts):
            return False
        start = np.uint64(int(key[:16], 16))
        place = int(np.searchsorted(self._starts, start))
        while place < len(self._starts) and self._starts[place] == start:
            if self._keys[place] == key:
                return True
            place += 1
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
