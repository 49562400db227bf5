"""lm-eval's tasks within a run: every model asked through the run's store, and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdeval.benchmarks.asking import StoredAnswers
from kdeval.benchmarks.evaluate import evaluate_model
from kdeval.benchmarks.language_model import KdevalLM
from kdeval.benchmarks.marked import ModelAnswers, scored_suites
from kdeval.benchmarks.selection import selected_documents
from kdeval.benchmarks.tasks import LoadedTasks, load_tasks
from kdeval.config.lm_eval import LmEvalConfig
from kdeval.errors import UsageError
from kdeval.models.protocols import Request
from kdeval.records import Kind, Metric
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress
from kdeval.run.executor import Executor, LocalExecutor
from kdeval.run.prepare import RunInputs
from kdeval.run.scored import ScoredSuite
from kdeval.store.predictions import PredictionStore

__all__ = ["AskedBenchmarks", "Benchmarks", "load_benchmarks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBenchmarks:
    """Models that have answered all tasks.

    Attributes:
        asked: what asking came to.
        answers: each model's log.
        requests: what the first of them was asked.
    """

    asked: Asked
    answers: Mapping[str, ModelAnswers]
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarks:
    """lm-eval's tasks, ready to be asked.

    Attributes:
        loaded: the tasks.
        documents: task name to the numbers of the documents that are asked; None: all that the
            settings allow.
    """

    loaded: LoadedTasks
    documents: Mapping[str, Sequence[int]] | None

    @property
    def kinds(self) -> dict[str, Kind]:
        """Suite to what its tasks ask of a model."""
        return {
            suite.name: "generation" if task.OUTPUT_TYPE == "generate_until" else "loglikelihood"
            for suite in self.loaded.suites
            for task in suite.tasks.values()
        }

    def ask(
        self,
        inputs: RunInputs,
        store: PredictionStore,
        *,
        progress: Progress,
        executor: Executor | None = None,
    ) -> AskedBenchmarks:
        """Every model of `inputs` on every task; what the store has is not asked again."""
        parts, answers, requests = [], {}, list[Request]()
        places = None if self.documents is None else {
            task: {number: place for place, number in enumerate(numbers)}
            for task, numbers in self.documents.items()
        }  # fmt: skip
        for name, model in inputs.models.items():
            stored = StoredAnswers(
                inputs, name, store, executor=executor or LocalExecutor(), progress=progress
            )  # fmt: skip
            lm = KdevalLM(
                model, name=name, ask=stored, replicate=inputs.replicates.get(name, 0),
                on_failure="record",
            )  # fmt: skip
            log = evaluate_model(self.loaded, lm, documents=self.documents)
            inputs.make_room(model)
            counts = stored.counts
            parts.append(counts)
            requests = requests or list(stored.keys)
            answers[name] = ModelAnswers(
                log=log,
                fingerprint=inputs.fingerprints[name],
                keys=stored.keys,
                cached=counts.cached[name],
                places=places,
            )
        return AskedBenchmarks(
            asked=Asked.together(parts), answers=answers, requests=tuple(requests)
        )

    def scored(
        self, answers: Mapping[str, ModelAnswers], *, teacher: str, known: Mapping[str, Metric]
    ) -> tuple[ScoredSuite, ...]:
        """The tasks as suites of the run, in the order of the configuration."""
        return scored_suites(self.loaded, answers, teacher=teacher, known=known)


def load_benchmarks(
    settings: LmEvalConfig, *, limit: int | None, seed: int, taken: Sequence[str]
) -> Benchmarks:
    """The tasks that `settings` names, with their documents.

    Args:
        settings: of the configuration.
        limit: at most so many documents a suite.
        seed: of their draw.
        taken: names of the run's other suites.

    Raises:
        UsageError: a task is unknown, or is called as a suite is.
        DataError: a task or its data set cannot be loaded.
    """
    loaded = load_tasks(settings)
    for suite in loaded.suites:
        if suite.name in taken:
            raise UsageError(
                f"a suite and an lm-eval task are both called {suite.name!r}: give the suite "
                "another name"
            )
    return Benchmarks(loaded=loaded, documents=selected_documents(loaded, limit, seed))
