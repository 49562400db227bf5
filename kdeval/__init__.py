"""kdeval: on which traffic may a distilled student replace its teacher, and what does that save?

The front door loads what it names on first use, so that importing kdeval costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdeval.compare.compute import compare_run
    from kdeval.config.schema import load_config
    from kdeval.gate.decide import judge
    from kdeval.routing.fit import fit_router
    from kdeval.store.run_directory import RunDirectory
    from kdeval.workflows.evaluate import evaluate

__version__ = "0.1.0"

__all__ = ["RunDirectory", "compare_run", "evaluate", "fit_router", "judge", "load_config"]

_HOMES = {
    "RunDirectory": "kdeval.store.run_directory",
    "compare_run": "kdeval.compare.compute",
    "evaluate": "kdeval.workflows.evaluate",
    "fit_router": "kdeval.routing.fit",
    "judge": "kdeval.gate.decide",
    "load_config": "kdeval.config.schema",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kdeval' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
