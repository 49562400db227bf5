"""Whether the models can be asked with what the suites offer: tools, and schemas of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdeval.errors import ModelError
from kdeval.models.ensemble import asked_models
from kdeval.models.protocols import Model
from kdeval.suites.read import Suite

__all__ = ["require_tools", "schema_notes"]


def require_tools(suite: Suite, models: Mapping[str, Model]) -> None:
    """Nothing, or ModelError where the suite offers tools that a model cannot be offered.

    Of recorded answers the calls must be known only where a scorer marks them.
    """
    if suite.config.tools is None or not any(sample.tools for sample in suite.samples):
        return
    marked = any(getattr(scorer, "needs_tool_calls", False) for scorer in suite.scorers)
    for name, model in asked_models(models).items():
        if getattr(model, "answers_by_id", False) and not marked:
            continue
        problem = getattr(model, "tools_problem", None)
        if problem is not None:
            raise ModelError(f"{name}: suite {suite.name!r} offers tools: {problem}")


def schema_notes(suites: Sequence[Suite], model: Model) -> tuple[str, ...]:
    """What a reader should know of the model's answers in suites with response schemas."""
    if getattr(model, "answers_by_id", False):
        return ()
    if all(getattr(one, "keeps_schema", False) for one in asked_models({"": model}).values()):
        return ()
    asked = [
        suite.name
        for suite in suites
        if suite.config.response_schema is not None
        and any(sample.response_schema is not None for sample in suite.samples)
    ]
    if not asked:
        return ()
    return (
        f"writes freely in {', '.join(asked)}: the response schema marks its answers, but neither "
        "holds them to it nor is told beyond what the input says of it",
    )
