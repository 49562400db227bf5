"""The runtime router of kdeval: may a distilled student answer this request, or must its teacher?

    from kdeval_router import Router

    router = Router.load("router/")
    decision = router.decide("book me a table for two")
    decision.target  # the name of the model to call

Importing the package loads no library; `Router.load` does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdeval_router.decision import Decision, Reason
    from kdeval_router.errors import RouterArtefactError
    from kdeval_router.explain import Explanation
    from kdeval_router.router import Router

__all__ = ["Decision", "Explanation", "Reason", "Router", "RouterArtefactError"]

_HOME = {
    "Decision": "kdeval_router.decision",
    "Explanation": "kdeval_router.explain",
    "Reason": "kdeval_router.decision",
    "Router": "kdeval_router.router",
    "RouterArtefactError": "kdeval_router.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
