"""From lm-eval's logs of all models to suites with samples, scores and pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from kdeval.benchmarks.answers import answer
from kdeval.benchmarks.documents import (
    Document,
    choices_of,
    cluster_keys,
    kind_of,
    prompt_keys,
    sample_of,
)
from kdeval.benchmarks.evaluate import ModelLog
from kdeval.benchmarks.instances import AskedDocument
from kdeval.benchmarks.metrics import Entry, LoggedMetric, logged_metrics, with_distinct_names
from kdeval.benchmarks.selection import documents_in_all
from kdeval.benchmarks.task_suites import TaskSuite
from kdeval.benchmarks.tasks import LoadedTasks
from kdeval.config.yaml_file import as_plain
from kdeval.errors import DataError
from kdeval.models.protocols import Request
from kdeval.records import Metric, Prediction, Sample, Score, ScoredPair
from kdeval.run.scored import ScoredSuite
from kdeval.store.fingerprints import value_digest
from kdeval.store.run_directory import BenchmarkEntry, BenchmarkTask, SuiteEntry
from kdeval.suites.repeats import repeat_notes

__all__ = ["ModelAnswers", "scored_suites"]

_Place = tuple[str, int]
"""Task, and lm-eval's number of the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswers:
    """One model's log, and where its answers are stored.

    Attributes:
        log: what lm-eval logged.
        fingerprint: of the model.
        keys: request to its key in the store.
        cached: keys of answers that were there before this run.
        places: task name to each asked document's number and place; None: they are the same.
    """

    log: ModelLog
    fingerprint: str
    keys: Mapping[Request, str]
    cached: AbstractSet[str]
    places: Mapping[str, Mapping[int, int]] | None = None

    def asked(self, task: str, number: int) -> AskedDocument:
        """The requests about that document."""
        place = number if self.places is None else self.places[task][number]
        return self.log.asked[task, place]

    def answered(self) -> dict[str, list[Entry]]:
        """Task name to what is logged of the documents without a failed request."""
        return {
            task: [e for e in entries if self.asked(task, e["doc_id"]).failure is None]
            for task, entries in self.log.samples.items()
        }


def scored_suites(
    loaded: LoadedTasks,
    answers: Mapping[str, ModelAnswers],
    *,
    teacher: str,
    known: Mapping[str, Metric],
) -> tuple[ScoredSuite, ...]:
    """Every suite of lm-eval's tasks.

    Args:
        loaded: the tasks.
        answers: of every model, the teacher's among them.
        teacher: its name; samples show its prompts.
        known: metrics of the run's other suites; one of another meaning gets a name of its own.

    Raises:
        DataError: a task made other documents for one model than for another.
    """
    found, known = [], dict(known)
    answered = {name: item.answered() for name, item in answers.items()}
    for suite in loaded.suites:
        metrics, notes = logged_metrics(suite, list(answered.values()))
        metrics = tuple(with_distinct_names(suite.name, metrics, known))
        known |= {item.metric.name: item.metric for item in metrics}
        found.append(_Suite(loaded, suite, answers, teacher, metrics, notes).scored())
    return tuple(found)


class _Suite:
    """One suite in the making."""

    def __init__(
        self,
        loaded: LoadedTasks,
        suite: TaskSuite,
        answers: Mapping[str, ModelAnswers],
        teacher: str,
        metrics: Sequence[LoggedMetric],
        notes: Sequence[str],
    ) -> None:
        self._loaded = loaded
        self._suite = suite
        self._answers = answers
        self._teacher = teacher
        self._metrics = metrics
        self._notes = notes
        self._entries = {name: _by_place(suite, item.log) for name, item in answers.items()}
        self._documents = self._made_documents()
        self._kind = kind_of(suite, self._documents)
        texts, prompts = cluster_keys(self._documents), prompt_keys(self._documents)
        self._clusters = [text or prompt for text, prompt in zip(texts, prompts, strict=True)]
        self._prompts = None if any(texts) or not any(prompts) else _distinct(prompts)
        self._samples = self._made_samples()

    def scored(self) -> ScoredSuite:
        """The suite."""
        return ScoredSuite(
            entry=self._entry(),
            metrics=tuple(item.metric for item in self._metrics),
            samples=tuple(self._samples),
            pairs=self._pairs,
        )

    def _made_documents(self) -> list[Document]:
        by_place = self._entries[self._teacher]
        for name, others in self._entries.items():
            for place, entries in by_place.items():
                if _content(others[place]) != _content(entries):
                    raise DataError(
                        f"lm_eval: task {place[0]!r} made another document {place[1]} for {name} "
                        f"than for {self._teacher}: a task that draws at random must do so by a "
                        "seed of its own"
                    )
        return [
            Document(
                task=task,
                number=number,
                entry=entry,
                asked=self._answers[self._teacher].asked(task, number),
                choices=choices_of(self._suite.tasks[task], entry),
            )
            for (task, number), entries in by_place.items()
            for entry in [next(iter(entries.values()))]
        ]

    def _made_samples(self) -> list[Sample]:
        settings = {
            name: value_digest([task.get_config("num_fewshot"), self._prompt_settings()])
            for name, task in self._suite.tasks.items()
        }
        return [
            sample_of(
                self._suite, item, kind=self._kind, cluster=cluster, settings=settings[item.task]
            )
            for item, cluster in zip(self._documents, self._clusters, strict=True)
        ]

    def _prompt_settings(self) -> list[object]:
        settings = self._loaded.settings
        return [
            settings.apply_chat_template, settings.fewshot_as_multiturn,
            settings.system_instruction, dict(settings.gen_kwargs),
        ]  # fmt: skip

    def _pairs(self) -> Iterator[ScoredPair]:
        for metric in self._metrics:
            sides = {
                name: [self._side(name, document, metric) for document in self._documents]
                for name in self._answers
            }
            for student in self._answers:
                if student == self._teacher:
                    continue
                for index, sample in enumerate(self._samples):
                    (theirs, their_score), (ours, score) = (
                        sides[self._teacher][index], sides[student][index],
                    )  # fmt: skip
                    yield ScoredPair(
                        sample=sample,
                        student=student,
                        teacher_prediction=replace(theirs, sample_id=sample.id),
                        student_prediction=replace(ours, sample_id=sample.id),
                        teacher_score=their_score,
                        student_score=score,
                    )

    def _side(
        self, name: str, document: Document, metric: LoggedMetric
    ) -> tuple[Prediction, Score]:
        answers = self._answers[name]
        asked = answers.asked(document.task, document.number)
        entry = self._entries[name][document.task, document.number][metric.filter]
        keys = tuple(answers.keys[request] for request in asked.requests)
        response = answer(self._kind, entry, metric.key, asked, document.choices)
        prediction = Prediction(
            sample_id="",
            response_keys=keys,
            model_fingerprint=answers.fingerprint,
            replicate=asked.requests[0].replicate,
            response=response,
            cached=all(key in answers.cached for key in keys),
        )
        return prediction, _score(metric, entry, asked)

    def _entry(self) -> SuiteEntry:
        settings = dict(as_plain(self._loaded.settings))
        for name in ("tasks", "include_path", "role"):
            settings.pop(name, None)
        counts = Counter(item.task for item in self._documents)
        benchmark = BenchmarkEntry(
            harness="lm-eval",
            version=version("lm-eval"),
            settings=settings,
            tasks={
                name: BenchmarkTask(
                    version=_version(task),
                    num_fewshot=int(task.get_config("num_fewshot") or 0),
                    documents=counts[name],
                    documents_in_all=documents_in_all(task),
                )
                for name, task in self._suite.tasks.items()
            },
        )
        contents = [[sample.id, sample.content_hash] for sample in self._samples]
        versions = {name: task.version for name, task in benchmark.tasks.items()}
        return SuiteEntry(
            name=self._suite.name,
            kind=self._kind,
            fingerprint=value_digest(["lm-eval", benchmark.version, versions, contents]),
            samples=len(self._samples),
            metrics=tuple(item.metric.name for item in self._metrics),
            slice_keys=tuple(sorted({key for item in self._samples for key in item.slices})),
            clustered=any(item.cluster is not None for item in self._samples),
            distinct_prompts=self._prompts,
            tasks=tuple(self._suite.tasks),
            role=self._loaded.settings.role,
            benchmark=benchmark,
            notes=(
                *self._notes,
                *repeat_notes(self._suite.name, len(self._samples), self._prompts),
            ),
        )


def _distinct(prompts: Sequence[str | None]) -> int:
    """How many prompts there are; None is one that no other document has."""
    return len(set(prompts) - {None}) + prompts.count(None)


def _by_place(suite: TaskSuite, log: ModelLog) -> dict[_Place, dict[str, Entry]]:
    """Each document's entries by filter, in order."""
    found: dict[_Place, dict[str, Entry]] = {}
    for task in suite.tasks:
        for entry in log.samples[task]:
            found.setdefault((task, entry["doc_id"]), {})[entry["filter"]] = entry
    return found


def _content(entries: Mapping[str, Entry]) -> tuple[str, str]:
    entry = next(iter(entries.values()))
    return entry["doc_hash"], entry["target_hash"]


def _version(task: Any) -> str | None:
    """The task's own; lm-eval calls a task file that says none "Yaml"."""
    return None if task.VERSION in (None, "Yaml") else str(task.VERSION)


def _score(metric: LoggedMetric, entry: Entry, asked: AskedDocument) -> Score:
    name = metric.metric.name
    if asked.failure is not None:
        return Score(scorer=name, value=None, reason="the request failed")
    if metric.key not in entry["metrics"]:
        return Score(scorer=name, value=None, reason="lm-eval marked this document otherwise")
    mark = metric.reading.mark(entry[metric.key])
    if mark is None:
        return Score(scorer=name, value=None, reason="what lm-eval logged is no number")
    return Score(scorer=name, value=mark.value, statistics=mark.statistics)
