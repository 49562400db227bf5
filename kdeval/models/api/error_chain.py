"""What an exception of a client library says beside its message: in those that it came from."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["never_sent", "out_of_credit"]

_DEEPEST = 12
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


def _chain(error: Exception) -> Iterator[BaseException]:
    """The exception, and those that it came from."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
