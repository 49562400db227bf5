"""Checkpoints of one student, recorded one by one into a run that is whole after each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdeval.config.schema import RunConfig
from kdeval.config.series import SeriesConfig
from kdeval.errors import ConfigError, RunError
from kdeval.models.protocols import Model
from kdeval.run.asked import Asked
from kdeval.run.asking import ask_models
from kdeval.run.keys import Keys
from kdeval.run.prepare import RunInputs, prepare
from kdeval.run.questions import SampleRequests, request_keys
from kdeval.run.writing import write_run
from kdeval.store.predictions import PredictionStore
from kdeval.store.run_directory import ModelEntry, RunDirectory
from kdeval.workflows.answers import open_answers
from kdeval.workflows.benchmarks import refuse_benchmarks
from kdeval.workflows.evaluate import open_run_directory, refuse_looks

__all__ = ["CheckpointRecorder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What is left of a checkpoint whose weights went on training: what a manifest says of it."""

    step: int
    path: str
    fingerprint: str
    parameters: int | None = None
    device: str | None = None
    dtype: str | None = None
    bytes_on_disk: int | None = None


def _silent(stage: str, done: int, total: int) -> None:
    """Progress for nobody."""


@dataclass(slots=True, kw_only=True)
class _Answers:
    """What asking the models came to so far, by model name."""

    keys: dict[tuple[str, str], Keys] = field(default_factory=dict)
    cached: dict[str, AbstractSet[str]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, found: Asked) -> None:
        self.keys |= found.keys
        self.cached |= found.cached
        self.asked |= found.asked
        self.errors |= found.errors

    def of(self, names: Sequence[str]) -> Asked:
        return Asked(
            keys={place: keys for place, keys in self.keys.items() if place[0] in names},
            cached={name: self.cached[name] for name in names},
            asked={name: self.asked[name] for name in names},
            errors={name: self.errors[name] for name in names},
        )


class CheckpointRecorder:
    """Adds a student for each checkpoint to the run in a directory.

    Teacher and other students are asked once, through the store. After each checkpoint the
    directory holds a whole run with a series of them, so that a training that is killed leaves what
    it measured.
    """

    def __init__(
        self,
        config: RunConfig,
        out: Path,
        *,
        student: str,
        limit: int | None = None,
        search: Sequence[Path] = (),
    ) -> None:
        """Nothing is loaded or written yet.

        Args:
            config: one of its students says how the model in training is asked.
            out: the run directory.
            student: the name of that student; checkpoints are called student-step.
            limit: at most so many samples a suite.
            search: where modules of "module:Class" models may lie.

        Raises:
            ConfigError: no student has that name, or a series has it as a member or as its name.
            UsageError: the configuration names lm-eval tasks.
        """
        names = [item.name for item in config.students]
        if student not in names:
            raise ConfigError(
                f"there is no student {student!r} to be trained; students: {', '.join(names)}"
            )
        for series in config.series:
            if student in (series.name, *series.members):
                raise ConfigError(
                    f"series {series.name!r}: checkpoints of {student!r} are recorded in a series "
                    f"of their own, called {student!r}: leave it out"
                )
        refuse_benchmarks(config, "a callback in training")
        self.out = out
        self.template = next(item for item in config.students if item.name == student)
        self._config = config
        self._limit = limit
        self._search = search
        self._inputs: RunInputs | None = None
        self._checkpoints: dict[str, _Recorded] = {}
        self._answers = _Answers()

    @property
    def steps(self) -> tuple[int, ...]:
        """Of the checkpoints recorded so far."""
        return tuple(item.step for item in self._checkpoints.values())

    def begin(self, model: Model, *, step: int) -> None:
        """Checks everything before training starts, and takes up checkpoints up to `step`.

        Args:
            model: the student as it is now.
            step: where training starts: above 0 when it is resumed.

        Raises:
            KdevalError: the configuration, a suite, a model, or the directory is not usable.
        """
        name = self.template.name
        self._inputs = prepare(
            self._config, limit=self._limit, search=self._search, built={name: model}
        )
        refuse_looks(self.out)
        open_run_directory(self.out)
        if step > 0 and (self.out / "run.json").exists():
            self._resume(self._inputs, RunDirectory.open(self.out), step)

    def record(self, model: Model, *, step: int, path: str) -> RunDirectory:
        """The run with one more checkpoint.

        Args:
            model: the student as it is now.
            step: of the training; a step that is there already is recorded anew.
            path: where its weights are saved, for the record.
        """
        if self._inputs is None:
            self.begin(model, step=0)
        assert self._inputs is not None
        name = f"{self.template.name}-{step}"
        found = _Recorded(
            step=step,
            path=path,
            fingerprint=model.fingerprint,
            parameters=getattr(model, "parameters", None),
            device=getattr(model, "device", None),
            dtype=getattr(model, "dtype", None),
        )
        (self.out / "latency.parquet").unlink(missing_ok=True)
        with open_answers(self._config, self.out) as store:
            self._ask(self._inputs, {name: model}, store)
            known = {**self._checkpoints, name: found}
            self._checkpoints = dict(sorted(known.items(), key=lambda item: item[1].step))
            inputs = self._with_checkpoints(self._inputs)
            write_run(inputs, self._answers.of(list(inputs.models)), store, self.out)
        return RunDirectory.open(self.out)

    def _ask(self, inputs: RunInputs, new: Mapping[str, Model], store: PredictionStore) -> None:
        """The new checkpoint, and whatever of the other models is not answered yet."""
        models = {
            name: model
            for name, model in inputs.models.items()
            if name != self.template.name and self._answers.errors.get(name, {"": ""})
        } | dict(new)
        prints = {
            name: inputs.fingerprints.get(name) or models[name].fingerprint for name in models
        }
        self._answers.add(
            ask_models(replace(inputs, models=models, fingerprints=prints), store, progress=_silent)
        )

    def _with_checkpoints(self, inputs: RunInputs) -> RunInputs:
        """The inputs with a student a checkpoint instead of the one in training."""
        template, config = self.template, self._config
        others = [item for item in config.students if item.name != template.name]
        made = [
            template.model_copy(update={"name": name, "path": item.path})
            for name, item in self._checkpoints.items()
        ]
        price = config.costs.get(template.name)
        costs: dict[str, Any] = {k: v for k, v in config.costs.items() if k != template.name}
        if price is not None:
            costs |= dict.fromkeys(self._checkpoints, price)
        models: dict[str, Model] = {
            name: model for name, model in inputs.models.items() if name != template.name
        } | dict(self._checkpoints)
        return replace(
            inputs,
            config=config.model_copy(
                update={
                    "students": [*others, *made],
                    "costs": costs,
                    "series": [*config.series, *self._series()],
                }
            ),
            models=models,
            fingerprints={
                name: inputs.fingerprints.get(name) or model.fingerprint
                for name, model in models.items()
            },
        )

    def _series(self) -> list[SeriesConfig]:
        if len(self._checkpoints) < 2:
            return []
        steps = [float(item.step) for item in self._checkpoints.values()]
        members = list(self._checkpoints)
        return [
            SeriesConfig(name=self.template.name, kind="checkpoints", members=members, steps=steps)
        ]

    def _resume(self, inputs: RunInputs, run: RunDirectory, step: int) -> None:
        """Takes up the checkpoints of an earlier part of the same training."""
        start = f"{self.template.name}-"
        earlier = [
            (entry, int(entry.name.removeprefix(start)))
            for entry in run.manifest.students
            if entry.name.startswith(start) and entry.name.removeprefix(start).isdecimal()
        ]
        kept = [(entry, at) for entry, at in earlier if at <= step]
        if not kept:
            return
        then = {suite.name: suite.fingerprint for suite in run.manifest.suites}
        if then != {suite.name: suite.fingerprint for suite in inputs.suites}:
            raise RunError(
                f"{self.out} holds checkpoints that were measured on other suites, and their "
                "weights are gone: give another directory"
            )
        with open_answers(self._config, self.out) as store:
            for entry, at in kept:
                self._take_up(inputs, entry, at, store)

    def _take_up(
        self, inputs: RunInputs, entry: ModelEntry, step: int, store: PredictionStore
    ) -> None:
        found = _Recorded(
            step=step,
            path=str(entry.options.get("path", "")),
            fingerprint=entry.fingerprint,
            parameters=entry.parameters,
            device=entry.device,
            dtype=entry.dtype,
        )
        self._checkpoints[entry.name] = found
        keys = {
            (entry.name, suite.name): request_keys(
                found, entry.fingerprint, SampleRequests(suite.samples)
            )
            for suite in inputs.suites
        }
        every = list(dict.fromkeys(key for part in keys.values() for key in part))
        responses = store.get(every)
        self._answers.add(
            Asked(
                keys=keys,
                cached={entry.name: frozenset(store.answered(every))},
                asked={entry.name: 0},
                errors={
                    entry.name: {
                        key: response.error
                        for key, response in responses.items()
                        if response.error is not None
                    }
                },
            )
        )
