"""Probing the latency of a run's models, where that is measurable and wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdeval.config.schema import LatencyProbe
from kdeval.errors import BudgetError, ModelError
from kdeval.latency.probe import ProbePlan, probe, probe_is_current, write_measured
from kdeval.latency.rounds import ROUNDS_FILE, KeptRounds
from kdeval.models.protocols import Model, Request
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress
from kdeval.run.prepare import RunInputs
from kdeval.run.questions import Questions, SampleRequests
from kdeval.run.spending import spends, within_budget
from kdeval.store.predictions import PredictionStore
from kdeval.workflows.answers import probe_spared
from kdeval.workflows.benchmarks import BenchmarkPart

__all__ = ["AskedRun", "probe_latency"]

_FEWEST = 8
"""Measurements that stand for all of an interrupted probe; no configuration asks for fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRun:
    """A run whose models have answered, and its surroundings.

    Attributes:
        asked: what asking came to.
        store: of the run, where spending is noted.
        out: the run's directory.
        added: what lm-eval's tasks asked beside the suites.
        progress: called with (stage, done, total).
        tell: called with what a probe will take, in a line.
    """

    inputs: RunInputs
    asked: Asked
    store: PredictionStore
    out: Path
    added: BenchmarkPart | None = None
    progress: Progress
    tell: Callable[[str], None]


def probe_latency(run: AskedRun, *, whole: bool = False) -> tuple[str, ...]:
    """Measures the models that answer live, unless the same was measured before.

    A model behind an API is measured only where the configuration asks for a probe. No sample is
    asked twice: a small run has a small probe. Where a model costs money, an interrupted probe goes
    on where it was; any other begins anew, because this machine may be under another load by then.

    Args:
        run: what is probed.
        whole: a budget or a model that ends it is an error; else what was measured until then
            stands for all, and the answers are there in any case.

    Returns:
        Why it was left out, or ended, where that may surprise.

    Raises:
        BudgetError: the budget would be passed, where it has to be whole.
        ModelError: a model cannot be asked any more, where it has to be whole.
    """
    inputs, file = run.inputs, run.out / "latency.parquet"
    settings = inputs.config.latency_probe
    answering = {
        name: model
        for name, model in inputs.models.items()
        if not getattr(model, "answers_by_id", False)
    }
    asked_for = "latency_probe" in inputs.config.model_fields_set
    live = {name: model for name, model in answering.items() if asked_for or not spends(model)}
    if not isinstance(settings, LatencyProbe) or not _measurable(inputs, answering):
        file.unlink(missing_ok=True)
        return _nothing_live(inputs, answering) if asked_for and settings is not False else ()
    left_out = _left_out(answering.keys() - live)
    if not _measurable(inputs, live):
        file.unlink(missing_ok=True)
        return left_out
    suites = [SampleRequests(suite.samples) for suite in inputs.suites]
    requests = Questions([*suites, run.added.requests if run.added else ()])
    plan = _planned(run, live, settings, len(requests))
    if probe_is_current(file, plan):
        return left_out
    spared = probe_spared(inputs, run.asked, run.store)
    if spared is not None:
        file.unlink(missing_ok=True)
        return (spared,)
    kept = KeptRounds(run.out / ROUNDS_FILE, plan.digest)
    try:
        _probe(run, live, requests, plan, file, kept)
    except (BudgetError, ModelError) as error:
        if whole:
            raise
        return (*left_out, _ended(error, file, plan, kept))
    return left_out


def _probe(
    run: AskedRun,
    live: Mapping[str, Model],
    requests: Sequence[Request],
    plan: ProbePlan,
    file: Path,
    kept: KeptRounds,
) -> None:
    paid = [name for name, model in live.items() if spends(model)]
    left = plan.rounds - len(kept.rounds)
    if left:
        run.tell(_announced(list(live), paid, left + plan.warmup))
    with within_budget(live.values(), run.store, ()):
        probe(
            live,
            requests,
            plan,
            file=file,
            kept=kept if paid else None,
            progress=partial(run.progress, "latency"),
        )


def _announced(names: Sequence[str], paid: Sequence[str], requests: int) -> str:
    """What a probe takes, in a line."""
    cost = f"; those of {', '.join(paid)} cost money" if paid else ""
    return (
        f"latency: {requests:,} more requests of each of {', '.join(names)}, one at a time{cost} "
        "(`latency_probe: false` leaves them out)"
    )


def _ended(error: Exception, file: Path, plan: ProbePlan, kept: KeptRounds) -> str:
    """Why a probe ended early, after what was measured is written where it is enough."""
    measured = len(kept.rounds)
    if measured >= _FEWEST:
        write_measured(file, kept)
    else:
        file.unlink(missing_ok=True)
    return (
        f"latency was {'' if measured >= _FEWEST else 'not '}probed: {measured:,} of "
        f"{plan.rounds:,} requests were measured when it ended with {error}"
    )


def _planned(
    run: AskedRun, live: Mapping[str, Model], settings: LatencyProbe, requests: int
) -> ProbePlan:
    suites = {suite.name: suite.fingerprint for suite in run.inputs.suites}
    rounds = min(settings.requests, requests)
    return ProbePlan(
        rounds=rounds,
        warmup=min(settings.warmup, rounds),
        seed=run.inputs.config.seed,
        settings={
            "models": {name: run.inputs.fingerprints[name] for name in live},
            "suites": suites | (run.added.fingerprints if run.added else {}),
            "probe": settings.model_dump(),
            "seed": run.inputs.config.seed,
            "limit": run.inputs.limit,
        },
    )


def _measurable(inputs: RunInputs, models: Collection[str]) -> bool:
    """Whether there is a student to set beside the teacher."""
    return inputs.config.teacher.name in models and len(models) > 1


def _nothing_live(inputs: RunInputs, answering: Collection[str]) -> tuple[str, ...]:
    """That a probe was asked for and none is possible."""
    teacher = inputs.config.teacher.name
    students = [model.name for model in inputs.config.students]
    recorded = students if teacher in answering else [teacher]
    return (
        f"latency was not probed, which asks a teacher and a student in turns: the answers of "
        f"{', '.join(recorded)} are recorded",
    )


def _left_out(names: Collection[str]) -> tuple[str, ...]:
    """That models behind an API were not probed, in one line; none where there are none."""
    if not names:
        return ()
    return (
        f"latency was not probed of {', '.join(sorted(names))}, because that asks an API again, "
        "for money: `latency_probe: true` in the configuration asks for it",
    )
