"""Whether a model can be asked what lm-eval's tasks ask."""

from __future__ import annotations

from collections.abc import Iterable

from kdeval.errors import ModelError
from kdeval.models.ensemble import Ensemble
from kdeval.models.exported import ExportedModel
from kdeval.models.protocols import Model

__all__ = ["require_askable"]


def require_askable(name: str, model: Model, tasks: Iterable[str] = ()) -> None:
    """Nothing, or ModelError where the model only knows the samples of a log, or other tasks.

    Args:
        name: of the model, for the message.
        model: any; of an ensemble each member counts.
        tasks: names of the suites that lm-eval's tasks are, where they are known.
    """
    if isinstance(model, Ensemble):
        for member, inner in model.members.items():
            require_askable(f"{name}, member {member}", inner, tasks)
    elif isinstance(model, ExportedModel):
        unknown = [task for task in tasks if not model.has_task(task)]
        if unknown:
            raise ModelError(
                f"{name}: {model.path} has no answers to {', '.join(unknown)}; it has answers to: "
                f"{', '.join(model.suites)}"
            )
    elif getattr(model, "answers_by_id", False):
        raise ModelError(
            f"{name}: recorded predictions answer the samples of a log, not lm-eval's requests: "
            "give a model that can be asked, or a file of `kdeval export`"
        )
