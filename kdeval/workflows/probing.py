"""Probing the latency of a run's models, where that is measurable and wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from kdeval.config.schema import LatencyProbe
from kdeval.latency.probe import probe, probe_is_current
from kdeval.models.protocols import Model
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress
from kdeval.run.prepare import RunInputs
from kdeval.run.questions import Questions, SampleRequests
from kdeval.run.spending import spends, within_budget
from kdeval.store.predictions import PredictionStore
from kdeval.workflows.answers import probe_spared
from kdeval.workflows.benchmarks import BenchmarkPart

__all__ = ["probe_latency"]


def probe_latency(
    inputs: RunInputs,
    asked: Asked,
    store: PredictionStore,
    out: Path,
    progress: Progress,
    added: BenchmarkPart | None = None,
) -> tuple[str, ...]:
    """Measures the models that answer live, unless the same was measured before.

    A model behind an API is measured only where the configuration asks for a probe.

    Args:
        inputs: of the run.
        asked: what asking came to.
        store: of the run, where spending is noted.
        out: the run's directory.
        progress: called with (stage, done, total).
        added: what lm-eval's tasks asked beside the suites.

    Returns:
        Why it was left out, where that may surprise.
    """
    settings = inputs.config.latency_probe
    file = out / "latency.parquet"
    answering = {
        name: model
        for name, model in inputs.models.items()
        if not getattr(model, "answers_by_id", False)
    }
    asked_for = "latency_probe" in inputs.config.model_fields_set
    live = {name: model for name, model in answering.items() if asked_for or not spends(model)}
    if not isinstance(settings, LatencyProbe) or not _measurable(inputs, answering):
        file.unlink(missing_ok=True)
        return ()
    left_out = _left_out(answering.keys() - live)
    if not _measurable(inputs, live):
        file.unlink(missing_ok=True)
        return left_out
    described = _described(inputs, live, settings, added)
    if probe_is_current(file, described):
        return left_out
    spared = probe_spared(inputs, asked, store)
    if spared is not None:
        file.unlink(missing_ok=True)
        return (spared,)
    suites = [SampleRequests(suite.samples) for suite in inputs.suites]
    with contextlib.ExitStack() as budgets:
        for model in live.values():
            budgets.enter_context(within_budget(model, store, ()))
        probe(
            live,
            Questions([*suites, added.requests if added else ()]),
            rounds=settings.requests,
            warmup=settings.warmup,
            seed=inputs.config.seed,
            file=file,
            settings=described,
            progress=partial(progress, "latency"),
        )
    return left_out


def _described(
    inputs: RunInputs,
    live: Mapping[str, Model],
    settings: LatencyProbe,
    added: BenchmarkPart | None,
) -> dict[str, object]:
    """What the measurements depend on."""
    suites = {suite.name: suite.fingerprint for suite in inputs.suites}
    return {
        "models": {name: inputs.fingerprints[name] for name in live},
        "suites": suites | (added.fingerprints if added else {}),
        "probe": settings.model_dump(),
        "seed": inputs.config.seed,
        "limit": inputs.limit,
    }


def _measurable(inputs: RunInputs, models: Mapping[str, Model]) -> bool:
    """Whether there is a student to set beside the teacher."""
    return inputs.config.teacher.name in models and len(models) > 1


def _left_out(names: Collection[str]) -> tuple[str, ...]:
    """That models behind an API were not probed, in one line; none where there are none."""
    if not names:
        return ()
    return (
        f"latency was not probed of {', '.join(sorted(names))}, because that asks an API again, "
        "for money: `latency_probe: true` in the configuration asks for it",
    )
