"""From the logits of two models at the same places to a few numbers a token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdeval.errors import ModelError

__all__ = ["NotFiniteError", "token_figures"]


class NotFiniteError(ValueError):
    """A model's logits are NaN; the text is left out."""


def token_figures(
    pieces: Iterable[tuple[Any, Any]], tokens: Sequence[int], *, temperature: float
) -> Mapping[str, NDArray[Any]]:
    """One row a token: the columns of `kdeval.store.tokens` but for keys, tokens as numbers.

    The log-softmax is taken in float32 over the whole vocabulary. Where one model has more logits
    than the other (padding behind the same vocabulary), the surplus is cut off first.

    Args:
        pieces: logits of teacher and student, each (places, vocabulary), together as many places
            as there are tokens.
        tokens: what came at each place.
        temperature: the second one at which divergences are taken, beside 1.

    Raises:
        NotFiniteError: a logit is NaN.
        ModelError: a token lies beyond a model's logits.
    """
    found: list[dict[str, NDArray[Any]]] = []
    place = 0
    for teacher, student in pieces:
        count = len(teacher)
        chosen = list(tokens[place : place + count])
        found.append(_piece(teacher, student, chosen, temperature))
        place += count
    if place != len(tokens):
        raise ModelError(f"teacher forcing gave {place} places for {len(tokens)} tokens")
    return {name: np.concatenate([piece[name] for piece in found]) for name in found[0]}


def _piece(
    teacher: Any, student: Any, chosen: Sequence[int], temperature: float
) -> dict[str, NDArray[Any]]:
    with torch.inference_mode():
        one = torch.as_tensor(teacher)
        other = torch.as_tensor(student).to(one.device)
        width = min(one.shape[1], other.shape[1])
        if max(chosen) >= width:
            raise ModelError(f"token {max(chosen)} lies beyond the {width} logits of a model")
        one, other = one[:, :width].float(), other[:, :width].float()
        p, q = torch.log_softmax(one, dim=-1), torch.log_softmax(other, dim=-1)
        if bool(torch.isnan(p).any()) or bool(torch.isnan(q).any()):
            raise NotFiniteError("the model's logits are not finite numbers")
        target = torch.tensor(chosen, device=one.device)[:, None]
        columns = {
            "teacher_log_prob": p.gather(1, target)[:, 0],
            "student_log_prob": q.gather(1, target)[:, 0],
            **_likeliest(p, q),
            **_divergences(p, q),
        }
        p, q = (torch.log_softmax(logits / temperature, dim=-1) for logits in (one, other))
        columns |= {f"{name}_at": values for name, values in _divergences(p, q).items()}
        return {name: values.cpu().numpy() for name, values in columns.items()}


def _likeliest(p: torch.Tensor, q: torch.Tensor) -> dict[str, torch.Tensor]:
    """The likeliest token of both, its log-probability, and whether it is the same."""
    first, second = p.max(dim=-1), q.max(dim=-1)
    return {
        "teacher_top": first.indices,
        "student_top": second.indices,
        "teacher_top_log_prob": first.values,
        "student_top_log_prob": second.values,
        "same_top": first.indices == second.indices,
    }


def _divergences(p: torch.Tensor, q: torch.Tensor) -> dict[str, torch.Tensor]:
    """KL in nats, Jensen-Shannon in bits and entropies in nats, of rows of log-probabilities."""
    middle = torch.logaddexp(p, q) - math.log(2)
    halves = (_sum(p, p - middle) + _sum(q, q - middle)) / 2
    return {
        "kl": _sum(p, p - q).clamp(min=0),
        "js": (halves / math.log(2)).clamp(0, 1),
        "teacher_entropy": _sum(p, -p),
        "student_entropy": _sum(q, -q),
    }


def _sum(log_weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Weighted sum by row, with 0 log 0 = 0."""
    weights = log_weights.exp()
    return torch.where(weights > 0, weights * values, torch.zeros_like(weights)).sum(dim=-1)
