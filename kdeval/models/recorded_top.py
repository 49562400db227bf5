"""The likeliest tokens that a log tells, in the forms that logs have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from kdeval.errors import DataError

__all__ = ["as_top_log_probs", "top_log_probs_problem"]

_MOST = 1.01


def as_top_log_probs(value: Any, name: str) -> dict[str, float]:
    """Token to natural-log probability.

    Args:
        value: a mapping, a list of {"token": ..., "logprob": ...} (further keys are ignored), or
            either of them as JSON text.
        name: for the message.

    Raises:
        DataError: it is none of these, or no part of a distribution.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"{name} must be a JSON object or list, got {value[:60]!r}") from None
    if isinstance(value, (list, tuple)):
        value = _by_token(value, name)
    if not isinstance(value, Mapping):
        raise DataError(f"{name} must be a mapping of token to log-probability, got {value!r}")
    found = {str(token): item for token, item in value.items() if item is not None}
    problem = top_log_probs_problem(found)
    if problem is not None:
        raise DataError(f"{name}: {problem}")
    return {token: float(item) for token, item in found.items()}


def _by_token(items: list[Any] | tuple[Any, ...], name: str) -> dict[str, Any]:
    try:
        return {str(item["token"]): item["logprob"] for item in items}
    except (TypeError, KeyError):
        raise DataError(
            f"{name}: a list must hold objects with token and logprob, got {items!r:.80}"
        ) from None


def top_log_probs_problem(found: Mapping[str, Any]) -> str | None:
    """Why these are no log-probabilities of single tokens; None where they are."""
    total = 0.0
    for token, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"the log-probability of {token!r} must be a number, got {value!r}"
        if not math.isfinite(value) or value > 1e-6:
            return (
                f"the log-probability of {token!r} is {value}: above 0 or not finite; leave out "
                "what is not known"
            )
        total += math.exp(value)
    if total > _MOST:
        return f"the probabilities sum to {total:.4g}: no part of a distribution at temperature 1"
    return None
