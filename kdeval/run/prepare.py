"""A configuration with its suites and models, checked against each other before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdeval.config.schema import RunConfig
from kdeval.errors import UsageError
from kdeval.models.ensemble import asked_models
from kdeval.models.exported import ExportedModel
from kdeval.models.protocols import Model, Unloadable
from kdeval.models.recorded import RecordedModel
from kdeval.models.resolver import build_model, require_capability, stored_fingerprint
from kdeval.run.exported import asked_suite
from kdeval.run.marking import require_scores
from kdeval.run.offers import require_tools, schema_notes
from kdeval.suites.read import Suite, load_suite

__all__ = ["RunInputs", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """A configuration with everything it names loaded and checked.

    Attributes:
        fingerprints: model name to what its answers are stored under.
        replicates: model name to which repeat of the requests it is asked; 0 where not named.
        search: where modules of "module:Class" models may lie.
        warnings: what is odd but no error, a line each.
        look: which of several looks (from 1) these suites are for; None: they are all there is.
    """

    config: RunConfig
    suites: tuple[Suite, ...]
    models: dict[str, Model]
    fingerprints: dict[str, str]
    limit: int | None
    warnings: tuple[str, ...] = ()
    look: int | None = None
    replicates: Mapping[str, int] = field(default_factory=dict)
    search: tuple[Path, ...] = ()

    def make_room(self, model: Model) -> None:
        """Has a model that was asked forget its weights, so that two need not be in memory.

        Of an ensemble, all members. Not where the latency probe takes the models in turns, nor
        where a further look asks it.
        """
        if self.config.latency_probe is not False or self.look is not None:
            return
        for asked in asked_models({"": model}).values():
            if isinstance(asked, Unloadable) and asked.in_memory:
                asked.release()


def prepare(
    config: RunConfig,
    *,
    limit: int | None = None,
    search: Sequence[Path] = (),
    built: Mapping[str, Model] | None = None,
) -> RunInputs:
    """Suites and models of `config`, checked against each other before anything is asked.

    Args:
        config: what is to be run.
        limit: at most so many samples a suite.
        search: where modules of "module:Class" models may lie.
        built: models by name that are there already, such as one in training.
    """
    built = built or {}
    suites = [load_suite(Path(path)) for path in config.suites]
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two suites are called {name!r}: give each a name of its own")
    models = {
        item.name: built.get(item.name) or build_model(item, search=search, prices=config.costs)
        for item in config.models
    }
    whole = suites
    if limit is not None:
        suites = [suite.limited(limit, config.seed) for suite in suites]
    warnings = _warnings(models, whole, suites)
    for suite in suites:
        for name, model in models.items():
            require_capability(name, model, suite.kind, suite.name)
        require_scores(suite, models)
        require_tools(suite, models)
    return RunInputs(
        config=config,
        suites=tuple(suites),
        models=models,
        fingerprints={
            item.name: stored_fingerprint(item, models[item.name], search) for item in config.models
        },
        limit=limit,
        warnings=warnings,
        search=tuple(search),
    )


def _warnings(
    models: dict[str, Model], suites: Sequence[Suite], asked_of: Sequence[Suite]
) -> tuple[str, ...]:
    """What models say of whole suites: ids that do not meet, odd probabilities, free writing.

    Of exported answers it is said what is missing of the samples in `asked_of` alone.
    """
    labels = {suite.name: suite.labels for suite in suites if suite.labels is not None}
    every = asked_models(models)
    recorded = {name: one for name, one in every.items() if isinstance(one, RecordedModel)}
    asked = {s.name: [sample.id for sample in s.samples] for s in suites if recorded}
    lines = [
        f"{name}: {line}"
        for name, model in recorded.items()
        for line in model.unmatched(asked, labels)
    ]
    lines += [
        f"{name}: {line}"
        for name, model in every.items()
        if isinstance(model, ExportedModel)
        for line in model.fit_to(
            {
                suite.name: asked_suite(model, suite, part)
                for suite, part in zip(suites, asked_of, strict=True)
            }
        )
    ]
    lines += [f"{name}: {note}" for name in models for note in schema_notes(suites, models[name])]
    return tuple(lines)
