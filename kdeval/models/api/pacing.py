"""Not asking faster than agreed, and nobody asking while the server wants rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Limits", "Pacing"]

_MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be asked of an API; None: as much as it takes.

    Attributes:
        max_concurrency: requests in the air at a time.
    """

    max_concurrency: int = 1
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Pacing:
    """Lets requests out evenly; to be used from one event loop.

    Requests are spaced by the stricter of the two limits: tokens count when a request is sent, by
    an estimate that is corrected once the API has counted them.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        self._request_s = _MINUTE / requests if requests else 0.0
        self._token_s = _MINUTE / tokens if tokens else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next_request = 0.0
        self._next_tokens = 0.0
        self._paused_until = 0.0

    def pause(self, seconds: float) -> None:
        """Nothing goes out for so long; a longer pause that is on already stays."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    async def turn(self, tokens: int) -> None:
        """Returns when a request of about so many tokens may be sent."""
        now = self._clock()
        at = max(now, self._next_request, self._next_tokens)
        self._next_request = at + self._request_s
        self._next_tokens = max(at, self._next_tokens) + tokens * self._token_s
        while (wait := max(at, self._paused_until) - self._clock()) > 0:
            await self._sleep(wait)

    def correct(self, estimated: int, counted: int) -> None:
        """Puts what the API counted in the place of the estimate."""
        self._next_tokens += (counted - estimated) * self._token_s
