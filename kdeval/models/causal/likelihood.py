"""How likely a language model holds a given text after its context."""

from __future__ import annotations

import math

from kdeval.models.causal.fitting import TooLong, fit_splits
from kdeval.models.causal.loaded import LoadedModel
from kdeval.models.causal.prompts import Split
from kdeval.models.causal.scoring import ContinuationScore
from kdeval.models.protocols import Request
from kdeval.records import Response

__all__ = ["likelihood_response", "text_split"]


def text_split(request: Request, loaded: LoadedModel, too_long: TooLong) -> Split:
    """The text's tokens after those of its context, which may be empty.

    Raises:
        ValueError: the text is empty or does not fit, or nothing comes before it.
    """
    text = request.choices[0]
    prompt = loaded.prompts.for_choosing(request)
    text = loaded.prompts.separated(prompt, text) if text else ""
    [split] = fit_splits(loaded.prompts.splits(prompt, [text]), loaded.longest, too_long)
    return split


def likelihood_response(request: Request, split: Split, score: ContinuationScore) -> Response:
    """The text with the mean log-probability of its tokens; an error where that is no number."""
    if not math.isfinite(score.log_prob):
        return Response(
            error="the model's logits are not finite numbers", input_tokens=len(split.context)
        )
    return Response(
        output=request.choices[0],
        input_tokens=len(split.context),
        output_tokens=score.tokens,
        mean_log_prob=min(0.0, score.log_prob / score.tokens),
    )
