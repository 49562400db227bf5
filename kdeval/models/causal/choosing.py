"""From the likelihoods of choices or labels to one response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kdeval.config.transformers_models import ScoringSettings
from kdeval.models.causal.prompts import Prompt, Prompts, Split
from kdeval.models.causal.scoring import ContinuationScore
from kdeval.models.protocols import Request
from kdeval.records import Response

__all__ = ["Ballot", "ballot", "elected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What is scored for one request.

    Attributes:
        keys: what the response calls the options: labels, or indices as text.
        words: what is scored for each.
        splits: prompt and option, per option.
        content_free: the same after the prompt without content; empty without calibration.
    """

    keys: tuple[str, ...]
    words: tuple[str, ...]
    splits: tuple[Split, ...]
    content_free: tuple[Split, ...]


def ballot(request: Request, prompts: Prompts, settings: ScoringSettings) -> Ballot:
    """The options of the request, tokenized.

    Raises:
        ValueError: there is no option, or one is empty.
    """
    if request.kind == "classification":
        keys = request.labels
        words = tuple(settings.label_words.get(label, label) for label in keys)
    else:
        keys = tuple(map(str, range(len(request.choices))))
        words = request.choices
    if not keys:
        raise ValueError(f"a {request.kind} request without options")
    free = settings.content_free
    text = free.get(request.suite) if isinstance(free, dict) else free
    return Ballot(
        keys=keys,
        words=words,
        splits=_splits(prompts, prompts.for_choosing(request), words),
        content_free=() if text is None else _splits(prompts, prompts.content_free(text), words),
    )


def elected(
    ballot: Ballot,
    scores: Sequence[ContinuationScore],
    content_free: Sequence[ContinuationScore],
    settings: ScoringSettings,
) -> Response:
    """The likeliest option, with log-probabilities that sum to one over the options.

    Calibration subtracts an option's log-likelihood after the prompt without content, which
    divides its probability by the prior (Zhao et al. 2021, "Calibrate Before Use").
    """
    values = [score.log_prob for score in scores]
    if content_free:
        values = [value - free.log_prob for value, free in zip(values, content_free, strict=True)]
    if settings.normalize == "tokens":
        values = [value / score.tokens for value, score in zip(values, scores, strict=True)]
    if settings.normalize == "bytes":
        sizes = [len(word.encode("utf-8", "surrogatepass")) for word in ballot.words]
        values = [value / size for value, size in zip(values, sizes, strict=True)]
    asked = min(len(split.context) for split in ballot.splits)
    top = max(values, default=math.nan)
    if not all(map(math.isfinite, (*values, top))):
        return Response(error="the model's logits are not finite numbers", input_tokens=asked)
    total = top + math.log(math.fsum(math.exp(value - top) for value in values))
    log_probs = [value - total for value in values]
    best = max(range(len(values)), key=values.__getitem__)
    return Response(
        output=ballot.keys[best],
        log_probs=dict(zip(ballot.keys, log_probs, strict=True)),
        confidence=min(1.0, math.exp(log_probs[best])),
        input_tokens=asked,
        output_tokens=scores[best].tokens,
    )


def _splits(prompts: Prompts, prompt: Prompt, words: Sequence[str]) -> tuple[Split, ...]:
    options = [prompts.separated(prompt, word) if word else "" for word in words]
    return tuple(prompts.splits(prompt, options))
