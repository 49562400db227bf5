"""Which model's answers may be shared between runs, and under what."""

from __future__ import annotations

import inspect
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from kdeval.models.ensemble import Ensemble
from kdeval.models.protocols import Model
from kdeval.store.cache.origin import Origin
from kdeval.store.predictions import PredictionStore

__all__ = ["origin_of"]


def origin_of(
    store: PredictionStore,
    name: str,
    model: Model,
    fingerprint: str,
) -> Origin | None:
    """What the model's answers are shared under; None where they are not, or `store` shares none.

    Not shared: recorded answers, which nothing is paid for; an ensemble's, whose members' are; and
    those of a model that says `shareable = False`, as one in training does. A class of the user's
    has the digest of its source file in the scope: two projects may call different models alike.
    """
    if store.shared is None or isinstance(model, Ensemble):
        return None
    if getattr(model, "answers_by_id", False) or not getattr(model, "shareable", True):
        return None
    kind = type(_innermost(model))
    scope = "" if kind.__module__.startswith("kdeval.") else _source_digest(kind)
    if scope is None:
        return None
    return Origin(
        name=name,
        type=kind.__name__,
        fingerprint=fingerprint,
        scope=scope,
        expires_after_s=getattr(model, "expires_after_s", None),
    )


def _innermost(model: object) -> object:
    """The model that a wrapper of kdeval's hands its requests to."""
    while type(model).__module__.startswith("kdeval.") and hasattr(model, "wrapped"):
        model = model.wrapped
    return model


def _source_digest(kind: type) -> str | None:
    try:
        file = inspect.getsourcefile(kind)
        return None if file is None else _digest(file)
    except (OSError, TypeError):
        return None


@lru_cache
def _digest(file: str) -> str:
    """Of the file as it was first read: what is imported does not change while a run goes on."""
    return sha256(Path(file).read_bytes()).hexdigest()
