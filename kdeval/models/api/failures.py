"""What went wrong with one attempt, and whether another may go better."""

from __future__ import annotations

from typing import Literal

from kdeval.models.api.reply import Usage

__all__ = ["AttemptError", "Remedy", "failure"]

Remedy = Literal["retry", "give up", "stop the run"]

_RETRIED = (408, 409, 425, 429)
_FATAL = (401, 403, 404)


class AttemptError(Exception):
    """One attempt brought no answer; never leaves the adapter.

    Attributes:
        reason: in words, without secrets.
        remedy: ask again; record the error; or stop, because every other request would fail too.
        status: HTTP status, where there was one.
        wait_s: how long the server asks to wait, where it does.
        billed: the server may have done the work, so that it may cost.
        usage: the tokens that the server counted for it, where it did.
    """

    def __init__(
        self,
        reason: str,
        *,
        remedy: Remedy = "retry",
        status: int | None = None,
        wait_s: float | None = None,
        billed: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy: Remedy = remedy
        self.status = status
        self.wait_s = wait_s
        self.billed = billed
        self.usage = usage

    @property
    def refused(self) -> bool:
        """The server would not take the request, whatever its length."""
        return self.remedy == "give up" and self.status is not None

    @property
    def limited(self) -> bool:
        """The server asks for fewer requests."""
        return self.status == 429


def failure(status: int | None, reason: str, *, wait_s: float | None = None) -> AttemptError:
    """The failure that an HTTP status means; without one the connection broke.

    Too many requests, time-outs, conflicts and faults of the server go away; a request that the
    server refuses would be refused again; a key, a permission or an address that is wrong is wrong
    for every request.
    """
    remedy: Remedy = "give up"
    if status is None or status in _RETRIED or status >= 500:
        remedy = "retry"
    elif status in _FATAL:
        remedy = "stop the run"
    return AttemptError(
        reason, remedy=remedy, status=status, wait_s=wait_s, billed=status in (None, 408)
    )
