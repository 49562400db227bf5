"""Whether what a model returned is what its protocol promises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import get_args, get_type_hints

from kdeval.errors import ModelError
from kdeval.models.protocols import METHODS, Model, Request
from kdeval.models.recorded_top import top_log_probs_problem
from kdeval.models.recorded_values import MOST
from kdeval.records import Response, Timing, ToolCall
from kdeval.run.secrets import redacted

__all__ = ["checked"]

_SUM_TOLERANCE = 1e-2
_NUMBERS = (
    "confidence", "score", "cost_usd", "input_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
_SECONDS = ("total_s", "first_token_s", "between_tokens_s", "queue_s")
_ORIGINS = get_args(get_type_hints(Timing)["origin"])


def checked(model: Model, batch: Sequence[Request], responses: object) -> list[Response]:
    """The responses as a list, errors without secrets.

    Raises:
        ModelError: they are no sequence of as many `Response`s, or one holds what it must not.
    """
    name = type(model).__name__
    if not isinstance(responses, Sequence):
        raise ModelError(
            f"{name}.{METHODS[batch[0].kind]}() returned {type(responses).__name__}; "
            "it must return a list with one Response a request"
        )
    if len(responses) != len(batch):
        raise ModelError(f"{name} gave {len(responses)} responses to {len(batch)} requests")
    found = []
    for request, response in zip(batch, responses, strict=True):
        if not isinstance(response, Response):
            raise ModelError(
                f"{name} gave a {type(response).__name__} to {request.sample_id!r}, not a Response"
            )
        problem = _problem(request, response)
        if problem is not None:
            raise ModelError(f"{name}, sample {request.sample_id!r}: {problem}")
        found.append(_cleaned(response))
    return found


def _cleaned(response: Response) -> Response:
    if response.error is not None:
        return replace(response, error=redacted(str(response.error)))
    if not _encodable(response.answer or ""):
        return Response(error="the output is not valid Unicode (it holds a lone surrogate)")
    if response.output is None and response.tool_calls is not None:
        return replace(response, output="")
    return response


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _problem(request: Request, response: Response) -> str | None:
    if response.error is not None:
        return None
    calls = response.tool_calls
    if calls is not None and not (
        isinstance(calls, tuple) and all(isinstance(call, ToolCall) for call in calls)
    ):
        return f"tool_calls must be a tuple of ToolCall, got {calls!r:.80}"
    problem = _number_problem(response) or _timing_problem(response)
    if problem is not None or response.marks is not None:
        return problem
    if response.output is None and response.score is None and calls is None:
        return "a response needs an output, or an error that says why there is none"
    if response.output is not None and not isinstance(response.output, str):
        return f"output must be a str, got {type(response.output).__name__} {response.output!r}"
    if response.top_log_probs is not None:
        if not isinstance(response.top_log_probs, Mapping):
            return "top_log_probs must be a mapping of token to natural-log probability"
        problem = top_log_probs_problem(response.top_log_probs)
        if problem is not None:
            return f"top_log_probs: {problem}"
    if not isinstance(response.truncated, (bool, NoneType)):
        return f"truncated must be True or False, got {response.truncated!r}"
    samples = () if response.samples is None else response.samples
    if not (isinstance(samples, tuple) and all(isinstance(text, str) for text in samples)):
        return f"samples must be a tuple of str, got {samples!r:.80}"
    return _probability_problem(request, response) or _continuation_problem(request, response)


def _number_problem(response: Response) -> str | None:
    for name in _NUMBERS:
        problem = _no_number(name, getattr(response, name), signed=name == "score")
        if problem is not None:
            return problem
    if response.mean_log_prob != -math.inf:
        problem = _no_number("mean_log_prob", response.mean_log_prob, signed=True)
        if problem is not None:
            return problem
    if response.confidence is not None and response.confidence > 1:
        return f"confidence {response.confidence} is outside [0, 1]"
    return None


def _timing_problem(response: Response) -> str | None:
    timing = response.timing
    if timing is None:
        return None
    if not isinstance(timing, Timing):
        return f"timing must be a Timing, got {type(timing).__name__} {timing!r:.80}"
    if timing.origin not in _ORIGINS:
        return f"timing.origin is {timing.origin!r}; give one of {', '.join(_ORIGINS)}"
    problems = (_no_number(f"timing.{name}", getattr(timing, name)) for name in _SECONDS)
    return next((problem for problem in problems if problem is not None), None)


def _no_number(name: str, value: object, *, signed: bool = False) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{name} must be a number, got {type(value).__name__} {value!r}"
    if not math.isfinite(value):
        return f"{name} is {value}; leave it None where it is unknown"
    if value < 0 and not signed:
        return f"{name} is {value}, which is below 0"
    return f"{name} is {value}, which is beyond {MOST:g}" if abs(value) > MOST else None


def _probability_problem(request: Request, response: Response) -> str | None:
    if response.log_probs is None:
        return None
    if not isinstance(response.log_probs, Mapping):
        return "log_probs must be a mapping of label to natural-log probability"
    total = 0.0
    for key, value in response.log_probs.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"log_probs[{key!r}] must be a number, got {type(value).__name__}"
        if math.isnan(value) or value > 1e-6:
            return f"log-probability {value} is above 0 or not a number"
        total += math.exp(value)
    if request.kind == "classification" and abs(total - 1) > _SUM_TOLERANCE:
        return f"probabilities sum to {total:.4g}, not 1"
    return None


def _continuation_problem(request: Request, response: Response) -> str | None:
    if request.kind != "loglikelihood":
        return None
    count = len(request.choices)
    if set(response.log_probs or ()) != set(map(str, range(count))):
        return f"log_probs must hold the log-likelihood of each of the {count} continuations"
    if response.greedy is not None and len(response.greedy) != count:
        return f"greedy must say of each of the {count} continuations whether it is"
    return None
