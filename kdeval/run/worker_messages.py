"""What driver and workers send each other: plain data, which either side can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdeval import __version__
from kdeval.models.protocols import Request
from kdeval.records import Corpus, Response
from kdeval.run.elsewhere import Elsewhere
from kdeval.run.model_source import ModelSource

__all__ = ["Answered", "Parcel", "Ready", "Refused", "WorkerJob", "place_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJob:
    """Which model a worker builds, and with what it may compute.

    Attributes:
        place: of the driver's model, for the message when the worker's is another.
        directory: the driver's working directory.
        host: the driver's machine.
        threads: that computing may take.
        gpus: share of a GPU; 0 hides all of them.
    """

    source: ModelSource
    place: str
    directory: str
    host: str
    threads: int
    gpus: float
    version: str = __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Requests on their way, without the corpora that they ask of, which a worker gets once.

    Attributes:
        corpora: per request the key of its corpus, or None.
    """

    requests: tuple[Request, ...]
    corpora: tuple[str | None, ...]

    @classmethod
    def packed(cls, requests: Sequence[Request], key_of: Callable[[Corpus], str]) -> Parcel:
        """The requests, with the keys that `key_of` gives their corpora."""
        asked = [(request, request.corpus) for request in requests]
        return cls(
            requests=tuple(
                request if corpus is None else replace(request, corpus=None)
                for request, corpus in asked
            ),
            corpora=tuple(None if corpus is None else key_of(corpus) for _, corpus in asked),
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has the model, and it is the driver's."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not; no other worker would do better."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """One response a request, in order, and what the model says of itself after them."""

    responses: list[Response]
    model: Elsewhere


def place_of(model: object) -> str:
    """Device and dtype of a model, as far as it tells them: "cuda, bfloat16"."""
    known = (getattr(model, name, None) for name in ("device", "dtype"))
    return ", ".join(str(value) for value in known if value is not None)
