"""Prompts that are longer than the model takes: refused, or without their beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kdeval.models.causal.prompts import Split

__all__ = ["TooLong", "TooLongError", "fit_prompt", "fit_splits"]

TooLong = Literal["error", "truncate"]


class TooLongError(ValueError):
    """A request does not fit; it is recorded as failed."""

    def __init__(self, tokens: int, longest: int) -> None:
        super().__init__(
            f"{tokens} tokens, and the model takes {longest}: shorten the prompts, or set "
            "too_long: truncate to lose their beginning"
        )


def fit_splits(splits: Sequence[Split], longest: int | None, policy: TooLong) -> tuple[Split, ...]:
    """Splits of one context, which loses its beginning where the policy allows it.

    All lose the same, so that their likelihoods compare.

    Raises:
        TooLongError: they do not fit.
    """
    tokens = max(len(split.context) + len(split.continuation) for split in splits)
    if longest is None or tokens <= longest:
        return tuple(splits)
    surplus = tokens - longest
    if policy == "error" or surplus >= min(len(split.context) for split in splits):
        raise TooLongError(tokens, longest)
    return tuple(
        Split(context=split.context[surplus:], continuation=split.continuation) for split in splits
    )


def fit_prompt(
    tokens: Sequence[int], *, limit: int, longest: int | None, policy: TooLong
) -> tuple[tuple[int, ...], int]:
    """(prompt, tokens that may be written after it); a cut prompt keeps half the room or more.

    Raises:
        TooLongError: no room for an answer is left.
    """
    if longest is None:
        return tuple(tokens), limit
    if policy == "truncate":
        tokens = tokens[-(longest - min(limit, longest // 2)) :]
    if len(tokens) >= longest:
        raise TooLongError(len(tokens), longest)
    return tuple(tokens), min(limit, longest - len(tokens))
