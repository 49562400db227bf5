"""From a classifier's logits to a response over the labels that a suite asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from kdeval.config.yaml_file import nearest
from kdeval.errors import ModelError
from kdeval.models.protocols import Request
from kdeval.records import Response

__all__ = ["columns_of", "label_names", "label_response"]


def label_names(id2label: Mapping[int, str], mapped: Mapping[str, str]) -> list[str]:
    """The suite's name of each column of the logits."""
    names = [id2label[index] for index in range(len(id2label))]
    return [mapped.get(name, name) for name in names]


def columns_of(name: str, labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where the suite's labels are among the model's.

    Raises:
        ModelError: the model `name` lacks one.
    """
    missing = [label for label in labels if label not in names]
    if missing:
        raise ModelError(
            f"{name}: the model has no label {missing[0]!r}, which the suite asks for "
            f"({nearest(missing[0], names)}); map its labels with "
            "`labels: {model label: suite label}`"
        )
    return [names.index(label) for label in labels]


def label_response(
    request: Request, logits: torch.Tensor, columns: Sequence[int], tokens: int | None = None
) -> Response:
    """The likeliest label, probabilities renormalised over the suite's labels.

    Args:
        request: what was asked.
        logits: one row, over all of the model's labels.
        columns: from `columns_of`.
        tokens: how many the input has.
    """
    log_probs = torch.log_softmax(logits[list(columns)].double(), dim=-1).tolist()
    if any(math.isnan(value) for value in log_probs):
        return Response(error="the model's logits are not numbers (NaN)", input_tokens=tokens)
    best = max(range(len(columns)), key=log_probs.__getitem__)
    return Response(
        output=request.labels[best],
        log_probs=dict(zip(request.labels, log_probs, strict=True)),
        confidence=min(1.0, math.exp(log_probs[best])),
        input_tokens=tokens,
    )
