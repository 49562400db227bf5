"""Units of work for workers that may die: retried, then split until one request is to blame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdeval.models.protocols import Request

__all__ = ["Unit", "UnitQueue"]

_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Requests that a worker answers at once.

    Attributes:
        deaths: how many workers died while they answered it, or what it is a part of.
    """

    requests: tuple[Request, ...]
    deaths: int = 0


class UnitQueue:
    """Batches in their order, of which no more is read than is needed.

    A unit whose worker died is tried again as it is: the machine may have been taken away. The
    second time it is split, so that a request that kills its worker takes no others with it. As
    long as it may be memory that does not suffice, later units are as small as the parts were;
    once a request is found that kills alone, they are whole again.
    """

    def __init__(self, batches: Iterable[Sequence[Request]]) -> None:
        self._batches = iter(batches)
        self._waiting: deque[Unit] = deque()
        self._largest: int | None = None

    def ahead(self, most: int) -> int:
        """How many units there are to take, counted up to `most`."""
        while len(self._waiting) < most:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._waiting.append(Unit(requests=tuple(batch)))
        return min(most, len(self._waiting))

    def take(self) -> Unit | None:
        """The next unit; None when there is no more."""
        if not self.ahead(1):
            return None
        unit = self._waiting.popleft()
        if self._largest is not None and len(unit.requests) > self._largest:
            self._waiting.extendleft(reversed(_parts(unit, self._largest)))
            unit = self._waiting.popleft()
        return unit

    def put_back(self, units: Iterable[Unit]) -> None:
        """Units that a dead worker had not begun, the first of them first."""
        self._waiting.extendleft(reversed(list(units)))

    def blame(self, unit: Unit) -> Request | None:
        """Tries again what a worker died of; the request, once it is clear that it kills."""
        unit = Unit(requests=unit.requests, deaths=unit.deaths + 1)
        if unit.deaths < 2:
            self.put_back([unit])
            return None
        if len(unit.requests) == 1:
            self._largest = None
            return unit.requests[0]
        self._largest = max(1, len(unit.requests) // _PARTS)
        self.put_back(_parts(unit, self._largest))
        return None


def _parts(unit: Unit, size: int) -> list[Unit]:
    asked = unit.requests
    return [
        Unit(requests=asked[start : start + size], deaths=unit.deaths)
        for start in range(0, len(asked), size)
    ]
