"""What an exception of a client library says beside its message: in those that it came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from pydantic import ValidationError

__all__ = ["never_sent", "out_of_credit", "unreadable"]

_DEEPEST = 12
_SHOWN = 40
_NO_CONNECTION = ("ConnectError", "ConnectTimeout", "ConnectionRefusedError")
_NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")


def out_of_credit(error: Exception) -> bool:
    """Whether the body of a 429 says that no waiting helps; litellm tells only its message."""
    told = f"{error} {_body(error)}"
    return any(code in told for code in _NO_CREDIT)


def _body(error: Exception) -> str:
    """Of the provider's answer, as far as the exception or one that it came from has it."""
    seen: list[str] = []
    for cause in _chain(error):
        try:
            response = getattr(cause, "response", None)
            seen += [str(getattr(cause, "body", "")), str(getattr(response, "text", ""))]
        except Exception:  # a response whose body was never read
            continue
    return " ".join(seen)


def never_sent(error: Exception) -> bool:
    """Whether there was no connection, so that no server can have done any work."""
    return any(type(cause).__name__ in _NO_CONNECTION for cause in _chain(error))


def unreadable(error: Exception, removed: Callable[[str], str]) -> str | None:
    """What is wrong with a reply that came without an error status; None: something else is.

    litellm tells the Python error that it met in reading it, some with their traceback.

    Args:
        error: litellm's.
        removed: takes secrets out of a text.
    """
    chain = tuple(_chain(error))
    if any(type(cause).__name__ == "HTTPStatusError" for cause in chain):
        return None
    for cause in chain:
        if isinstance(cause, json.JSONDecodeError):
            return f"is not JSON: it begins with {removed(cause.doc)[:_SHOWN]!r}"
    if "Invalid response object" not in str(error):
        return None
    for cause in chain:
        if isinstance(cause, ValidationError):
            found = cause.errors()[0]
            place = ".".join(map(str, (cause.title, *found["loc"])))
            return f"is no chat completion: {place}: {found['msg'].partition(',')[0].lower()}"
    return "is no chat completion"


def _chain(error: Exception) -> Iterator[BaseException]:
    """The exception, and those that it came from."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
