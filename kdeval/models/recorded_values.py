"""Single values of a recorded prediction, checked: scores, numbers, probabilities, texts.

Every function raises DataError saying what is wrong; the caller knows the file and line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kdeval.errors import DataError
from kdeval.records import ToolCall
from kdeval.store.tool_calls import as_tool_calls

__all__ = [
    "MOST",
    "as_count",
    "as_log_probabilities",
    "as_number",
    "as_recorded_calls",
    "as_score",
    "ordered_log_probs",
]

MOST = 1e12
"""No request takes more dollars, seconds or tokens; sums and squares of what is less are finite."""

_SUM_TOLERANCE = 1e-2
_BOOLEANS = {"true": 1.0, "false": 0.0}

LogProbabilities = Mapping[str, float] | tuple[float, ...]


def as_score(value: Any, name: str) -> float:
    """A finite number; true is 1 and false is 0, also as text in any case."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().casefold() in _BOOLEANS:
        return _BOOLEANS[value.strip().casefold()]
    expected = f"a finite number, true or false (and within {MOST:g} of 0)"
    return as_number(value, name, low=-MOST, high=MOST, expected=expected)


def as_number(
    value: Any,
    name: str,
    *,
    low: float = 0.0,
    high: float = math.inf,
    expected: str | None = None,
) -> float:
    """A finite number in [low, high], also as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number) and low <= number <= high:
        return number
    limit = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
    raise DataError(f"{name} must be {expected or f'a number {limit}'}, got {value!r}")


def as_count(value: Any, name: str) -> int:
    """A whole number from 0 to 1e12, also as text or 12.0."""
    number = as_number(value, name, high=MOST, expected="a whole number from 0 to 1e+12")
    if number != int(number):
        raise DataError(f"{name} must be a whole number from 0 to 1e+12, got {value!r}")
    return int(number)


def as_recorded_calls(value: Any, name: str) -> tuple[ToolCall, ...]:
    """The calls of a list, or of its JSON text."""
    try:
        return as_tool_calls(value)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None


def as_log_probabilities(value: Any, name: str, *, logarithms: bool) -> LogProbabilities:
    """Natural logarithms of probabilities that sum to one, per key or in order.

    Args:
        value: a list, a mapping, or either of them as JSON text.
        name: for the message.
        logarithms: the values are natural logarithms of probabilities.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"{name} must be a JSON list or object, got {value[:60]!r}") from None
    if isinstance(value, Mapping):
        return dict(zip(value, _normalised(list(value.values()), name, logarithms), strict=True))
    if isinstance(value, (list, tuple)):
        return tuple(_normalised(value, name, logarithms))
    raise DataError(f"{name} must be a list or a mapping, got {value!r}")


def ordered_log_probs(probabilities: LogProbabilities, keys: Sequence[str]) -> dict[str, float]:
    """Natural logarithms in the order of `keys`; what is zero or not named is minus infinity."""
    if not isinstance(probabilities, Mapping):
        if len(probabilities) != len(keys):
            raise DataError(
                f"{len(probabilities)} probabilities are recorded, but the suite has {len(keys)} "
                f"options: {', '.join(keys[:8])}"
            )
        probabilities = dict(zip(keys, probabilities, strict=True))
    unknown = [key for key in probabilities if key not in keys]
    if unknown:
        raise DataError(
            f"probabilities are recorded for {', '.join(map(repr, unknown[:3]))}, which the suite "
            f"does not have; it has {', '.join(keys[:8])}"
        )
    return {key: probabilities.get(key, -math.inf) for key in keys}


def _normalised(values: Sequence[Any], name: str, logarithms: bool) -> list[float]:
    logs = [_log_probability(value, name, logarithms) for value in values]
    total = math.fsum(map(math.exp, logs))
    if abs(total - 1) > _SUM_TOLERANCE:
        what = "the probabilities" if not logarithms else "the exponentials"
        raise DataError(
            f"{name}: {what} sum to {total:.6g}, not 1; record the whole distribution"
            + (" (a softmax over the options)" if logarithms else "")
        )
    return [min(0.0, log - math.log(total)) for log in logs]


def _log_probability(value: Any, name: str, logarithms: bool) -> float:
    if not logarithms:
        number = as_number(value, name, low=0.0, high=1.0 + _SUM_TOLERANCE)
        return math.log(number) if number > 0 else -math.inf
    if value in (-math.inf, "-Infinity", "-inf"):
        return -math.inf
    return as_number(value, name, low=-math.inf, high=_SUM_TOLERANCE)
