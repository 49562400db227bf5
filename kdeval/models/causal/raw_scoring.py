"""Log-likelihoods of raw continuations and of whole texts, as lm-eval asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdeval.models.causal.prompts import Split
from kdeval.models.causal.raw_text import RawText, Tokens
from kdeval.models.causal.scoring import ContinuationScore
from kdeval.models.protocols import Request
from kdeval.records import Response

__all__ = ["RawChoices", "raw_choices", "raw_response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawChoices:
    """The choices of a request, each in one or more parts whose log-likelihoods add up."""

    parts: tuple[tuple[Split, ...], ...]

    @property
    def splits(self) -> tuple[Split, ...]:
        """All parts of all choices."""
        return tuple(split for choice in self.parts for split in choice)


def raw_choices(requests: Sequence[Request], raw: RawText) -> list[RawChoices | Response]:
    """What is to be scored for each request, or why it cannot be."""
    tokens = raw.tokens(
        [(item.text, item.choices) for item in requests if not item.rolling],
        [text for item in requests if item.rolling for text in item.choices],
    )
    return [_choices(request, raw, tokens) for request in requests]


def _choices(request: Request, raw: RawText, tokens: Tokens) -> RawChoices | Response:
    if not request.choices:
        return Response(error=f"a {request.kind} request without continuations")
    try:
        if request.rolling:
            whole = (raw.windows(text, tokens) for text in request.choices)
            return RawChoices(parts=tuple(map(tuple, whole)))
        splits = raw.continuations(request.text, request.choices, tokens)
        return RawChoices(parts=tuple((split,) for split in splits))
    except ValueError as error:
        return Response(error=str(error))


def raw_response(asked: RawChoices, scores: Iterator[ContinuationScore]) -> Response:
    """Log-likelihoods, summed and not normalized; takes the scores of its parts off `scores`."""
    found = [[next(scores) for _ in parts] for parts in asked.parts]
    sums = [math.fsum(score.log_prob for score in parts) for parts in found]
    if not all(map(math.isfinite, sums)):
        return Response(error="the model's logits are not finite numbers")
    best = max(range(len(sums)), key=sums.__getitem__)
    return Response(
        output=str(best),
        log_probs={str(index): min(0.0, value) for index, value in enumerate(sums)},
        greedy=tuple(all(score.greedy for score in parts) for parts in found),
        input_tokens=min((len(split.context) for split in asked.splits), default=0),
        output_tokens=sum(score.tokens for score in found[best]),
    )
