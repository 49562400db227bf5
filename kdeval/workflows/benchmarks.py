"""lm-eval tasks within `kdeval run`: loaded where the configuration names some, then asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdeval.config.schema import RunConfig
from kdeval.errors import MissingExtraError, UsageError
from kdeval.models.protocols import Request
from kdeval.models.resolver import require_capability
from kdeval.records import Metric
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress
from kdeval.run.executor import Executor
from kdeval.run.prepare import RunInputs
from kdeval.run.scored import ScoredSuite
from kdeval.store.predictions import PredictionStore

if TYPE_CHECKING:
    from kdeval.benchmarks.marked import ModelAnswers
    from kdeval.benchmarks.run import Benchmarks

__all__ = [
    "BenchmarkPart",
    "ask_benchmarks",
    "benchmark_part",
    "prepare_benchmarks",
    "refuse_benchmarks",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPart:
    """What lm-eval's tasks add to a run; nothing without such tasks.

    Attributes:
        asked: what asking came to, with that of the suites.
        scored: the tasks as suites.
        requests: what the teacher was asked.
    """

    asked: Asked
    scored: tuple[ScoredSuite, ...] = ()
    requests: tuple[Request, ...] = ()

    @property
    def fingerprints(self) -> dict[str, str]:
        """Suite to the digest of its samples."""
        return {suite.entry.name: suite.entry.fingerprint for suite in self.scored}


def prepare_benchmarks(inputs: RunInputs) -> Benchmarks | None:
    """The tasks of the run's configuration, checked against its models; None where it has none.

    Raises:
        MissingExtraError: lm-eval is not installed.
        UsageError: a task is unknown, or asks for what kdeval does not do.
        ModelError: a model cannot answer what a task asks.
        DataError: a task or its data set cannot be loaded.
    """
    settings = inputs.config.lm_eval
    if settings is None:
        return None
    try:
        from kdeval.benchmarks.askable import require_askable
        from kdeval.benchmarks.run import load_benchmarks
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "lm_eval":
            raise
        raise MissingExtraError(feature="lm_eval", extra="lm-eval") from error
    found = load_benchmarks(
        settings,
        limit=inputs.limit,
        seed=inputs.config.seed,
        taken=[suite.name for suite in inputs.suites],
    )
    for name, model in inputs.models.items():
        require_askable(name, model, found.kinds)
        for suite, kind in found.kinds.items():
            require_capability(name, model, kind, suite)
    return found


def ask_benchmarks(
    benchmarks: Benchmarks | None,
    inputs: RunInputs,
    asked: Asked,
    store: PredictionStore,
    *,
    progress: Progress,
    executor: Executor,
) -> BenchmarkPart:
    """Every model on every task, after the suites have been asked.

    Args:
        benchmarks: of `prepare_benchmarks`.
        inputs: the run.
        asked: of its suites.
        store: where answers are kept.
        progress: called with (stage, done, total).
        executor: where models are asked.
    """
    if benchmarks is None:
        return BenchmarkPart(asked=asked)
    found = benchmarks.ask(inputs, store, progress=progress, executor=executor)
    return benchmark_part(
        benchmarks, inputs, Asked.together([asked, found.asked]), found.answers, found.requests
    )


def benchmark_part(
    benchmarks: Benchmarks | None,
    inputs: RunInputs,
    asked: Asked,
    answers: Mapping[str, ModelAnswers],
    requests: tuple[Request, ...] = (),
) -> BenchmarkPart:
    """What has been asked, scored: the tasks as suites of the run.

    Args:
        benchmarks: the tasks; None: there are none.
        inputs: the run.
        asked: all that was asked, tasks included.
        answers: of every model to the tasks.
        requests: what the teacher was asked of them.
    """
    if benchmarks is None:
        return BenchmarkPart(asked=asked)
    teacher = inputs.config.teacher.name
    scored = benchmarks.scored(answers, teacher=teacher, known=_metrics(inputs))
    return BenchmarkPart(asked=asked, scored=scored, requests=requests)


def refuse_benchmarks(config: RunConfig, what: str) -> None:
    """Nothing, or UsageError where `config` names lm-eval tasks, which `what` cannot have."""
    if config.lm_eval is not None:
        raise UsageError(
            f"{what} asks suites only: leave lm_eval out of this configuration, and ask its tasks "
            "by `kdeval run` with one of their own (--limit: of fewer documents)"
        )


def _metrics(inputs: RunInputs) -> Mapping[str, Metric]:
    return {
        scorer.metric.name: scorer.metric for suite in inputs.suites for scorer in suite.scorers
    }
