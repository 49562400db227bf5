"""Settings of the comparison of two networks layer by layer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdeval.config.base import Strict

__all__ = ["HiddenStatesConfig"]


class HiddenStatesConfig(Strict):
    """Teacher and student represent the same samples, and their layers are compared.

    For models with open weights: causal_lm, sequence_classifier, image_classifier, embedder. Each
    reads the samples by itself; they are not in memory together.
    """

    samples: int = Field(200, ge=8, le=2000, description="at most so many a suite (stratified)")
    tokens: Literal["mean", "last", "first"] = Field(
        "mean",
        description="what a sample's representation is made of: the mean over its tokens (of a "
        "model that reads one way all but the first), the last one, or the first ([CLS])",
    )
    layers: int | None = Field(
        None, ge=2, description="at most so many layers of a model, evenly spread; default: all"
    )
    attention: int = Field(
        32, ge=0, le=500, description="so many of the samples also for attention maps; 0: none"
    )
