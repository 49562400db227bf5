"""Why a router sends a text where it does, for `kdeval route explain`."""

from __future__ import annotations

from pathlib import Path

from kdeval_router import Explanation, Router, RouterArtefactError

from kdeval.errors import RoutingError

__all__ = ["explain_text"]


def explain_text(router_dir: Path, request: object) -> Explanation:
    """The runtime's decision on `request` in words and numbers.

    Raises:
        RoutingError: the artefact is missing or invalid.
    """
    try:
        router = Router.load(router_dir)
    except RouterArtefactError as error:
        raise RoutingError(str(error)) from error
    return router.explain(request)
