"""Choosing by writing: the question that is put, and what the written answer means.

A label or a letter counts only when it is the whole answer, white space, case and quotes around it
forgiven; anything else is an answer that is none of the options, and so wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from kdeval.models.protocols import Request
from kdeval.store.choices import choice_readings

__all__ = ["decided_output", "decision_prompt", "option_log_probs", "option_words"]

_UNCLEAR = 0.01
_AROUND = " \t\r\n\"'`*."


def decision_prompt(request: Request) -> str | None:
    """What is asked beside the input; None where text is to be written.

    Raises:
        ValueError: there are no options, or more than there are letters.
    """
    if request.kind not in ("classification", "multiple_choice"):
        return None
    words = option_words(request)
    if request.kind == "classification":
        listed = "\n".join(f"- {label}" for label in words)
        return f"Answer with exactly one of these labels, and with nothing else:\n{listed}"
    pairs = zip(words, request.choices, strict=True)
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in pairs)
    return f"{listed}\n\nAnswer with the letter of the right choice, and with nothing else."


def option_words(request: Request) -> tuple[str, ...]:
    """What the model is to write for each label or choice, in order.

    Raises:
        ValueError: there are no options, or more than there are letters.
    """
    options = request.labels if request.kind == "classification" else request.choices
    if not options:
        raise ValueError(f"a {request.kind} request without options")
    if request.kind == "classification":
        return options
    if len(options) > len(ascii_uppercase):
        raise ValueError(
            f"{len(options)} choices: by writing a letter, a model can choose among "
            f"{len(ascii_uppercase)}"
        )
    return tuple(ascii_uppercase[: len(options)])


def decided_output(request: Request, text: str) -> str:
    """The label, or the choice's index as text; what was written, where it is no option.

    What no letter or choice is must not be read as an index either: it gets words before it where
    it could be.
    """
    if request.kind == "classification":
        return _label(request.labels, text)
    for form in ("letter", "text"):
        found = choice_readings(text, request.choices, form=form)
        if len(found) == 1:
            return str(next(iter(found)))
    return f"no choice: {text}" if choice_readings(text, request.choices) else text


def option_log_probs(request: Request, top: Mapping[str, float]) -> dict[str, float] | None:
    """Log-probability per label or choice index, summing to one; None where one is not known.

    A token counts for an option when it is the option's word or the beginning of it, and of no
    other; several may count for one ("A", " A", "a"). Where more than 1 % of what counts may mean
    several options, nothing is known.

    Args:
        request: what was asked.
        top: the likeliest tokens at the place that decides, with natural logarithms.
    """
    words = [word.casefold() for word in option_words(request)]
    shares, unclear = [0.0] * len(words), 0.0
    for token, log_prob in top.items():
        meant = token.strip().casefold()
        fits = [index for index, word in enumerate(words) if meant and word.startswith(meant)]
        if len(fits) == 1:
            shares[fits[0]] += math.exp(log_prob)
        elif fits:
            unclear += math.exp(log_prob)
    total = math.fsum(shares)
    if min(shares) <= 0 or unclear > _UNCLEAR * total:
        return None
    return {key: math.log(share / total) for key, share in zip(_keys(request), shares, strict=True)}


def _keys(request: Request) -> Sequence[str]:
    if request.kind == "classification":
        return request.labels
    return [str(index) for index in range(len(request.choices))]


def _label(labels: Sequence[str], text: str) -> str:
    """The one label that is meant; of two that differ by case alone, the one written so."""
    for clean in (str.strip, lambda written: written.strip(_AROUND)):
        written = clean(text)
        if written in labels:
            return written
        alike = [label for label in labels if label.strip().casefold() == written.casefold()]
        if len(alike) == 1:
            return alike[0]
    return text
