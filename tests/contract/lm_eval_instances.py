"""What lm-eval asks of a model, made by hand."""

from __future__ import annotations

import itertools
from typing import Any

from lm_eval.api.instance import Instance

CONTEXTS = (
    "The capital of France is",
    "The capital of France is  ",
    "",
    "one two three four\n\n",
    "Ünïcödé 日本",
    "<|bos|>The capital",
    "The capital of Italy is good. " * 40,
    "<|end|>x",
)


def asked(kind: str, *arguments: tuple[Any, ...]) -> list[Instance]:
    """Instances, one a document."""
    return [Instance(kind, {}, args, 0, ("t", i, 1)) for i, args in enumerate(arguments)]


def writings(contexts: Any, stops: Any, limits: Any) -> list[Instance]:
    """Instances of every combination."""
    return asked(
        "generate_until",
        *(
            (context, {"until": until, "max_gen_toks": limit})
            for context, until, limit in itertools.product(contexts, stops, limits)
        ),
    )
