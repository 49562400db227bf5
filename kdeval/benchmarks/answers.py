"""What a model answered about one document, as lm-eval's metric understood it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kdeval.benchmarks.instances import AskedDocument
from kdeval.benchmarks.metrics import Entry
from kdeval.records import Kind, Response, Timing

__all__ = ["answer", "compared", "likeliest"]


def answer(
    kind: Kind, entry: Entry, key: str, asked: AskedDocument, choices: Sequence[str]
) -> Response:
    """The response as the metric `key` marked it; tokens, time and cost are those of all requests.

    Of multiple choice: the index of the choice that this metric takes, with the log-likelihoods
    that it compares, which acc_norm divides by a choice's length. Of what is written: the text
    that the filter left. Otherwise the text whose likelihood was asked.
    """
    whole = _together(asked.responses)
    if asked.failure is not None:
        return replace(whole, error=asked.failure, output=None)
    if kind == "multiple_choice":
        logs = compared(entry, key, choices)
        return replace(
            whole,
            output=str(likeliest(logs)),
            log_probs={str(index): value for index, value in enumerate(logs)},
        )
    if kind == "generation":
        return _written(whole, entry)
    return replace(whole, output=str(entry["arguments"][0][-1]), log_probs=None)


def compared(entry: Entry, key: str, choices: Sequence[str]) -> list[float]:
    """The number of each choice whose largest the metric takes, as lm-eval computes it."""
    logs = [float(found[0]) for found in entry["filtered_resps"]]
    plain, bare = logs[: len(choices)], logs[len(choices) :]
    if key == "acc_norm":
        return _per_unit(plain, [len(choice) for choice in choices])
    if key == "acc_bytes":
        return _per_unit(plain, [len(choice.encode("utf-8")) for choice in choices])
    if key == "acc_mutual_info" and bare:
        return [value - alone for value, alone in zip(plain, bare, strict=True)]
    return plain


def _per_unit(logs: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """An empty choice is never taken: lm-eval divides by its length all the same."""
    return [value / size if size else -math.inf for value, size in zip(logs, sizes, strict=True)]


def likeliest(logs: Sequence[float]) -> int:
    """The place of the largest; the first of several, as NumPy's argmax."""
    return max(range(len(logs)), key=logs.__getitem__)


def _written(whole: Response, entry: Entry) -> Response:
    found = entry["filtered_resps"][0]
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)
    every = [str(item) for written in entry["resps"] for item in written]
    return replace(whole, output=text, samples=tuple(every) if len(every) > 1 else None)


def _together(responses: Sequence[Response]) -> Response:
    """One response for all that was asked about a document: sums, where every part is known."""
    if len(responses) == 1:
        return replace(responses[0], error=None, greedy=None)
    return Response(
        input_tokens=_total([item.input_tokens for item in responses]),
        output_tokens=_total([item.output_tokens for item in responses]),
        reasoning_tokens=_total([item.reasoning_tokens for item in responses]),
        cost_usd=_total([item.cost_usd for item in responses]),
        truncated=_any([item.truncated for item in responses]),
        timing=_total_time([item.timing for item in responses]),
    )


def _total(values: Sequence[Any]) -> Any:
    return None if None in values else sum(values)


def _any(values: Sequence[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return any(known) if known else None


def _total_time(timings: Sequence[Timing | None]) -> Timing | None:
    known = [item for item in timings if item is not None]
    if len(known) < len(timings) or len({item.origin for item in known}) != 1:
        return None
    total = _total([item.total_s for item in known])
    return Timing(origin=known[0].origin, total_s=total)
