"""`kdeval aa`: one model against itself under changed conditions, the noise floor."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from rich.console import Console

from kdeval.compare.noise_floor import NoiseFloor, noise_floor
from kdeval.config.schema import ModelConfig, RunConfig
from kdeval.config.yaml_file import nearest
from kdeval.errors import ModelError, UsageError
from kdeval.models.protocols import Model
from kdeval.models.resolver import build_model
from kdeval.models.variants import CONDITIONS, Condition, NotVaried, Rebatched, Variant, variants_of
from kdeval.records import RunHeader
from kdeval.report.noise_file import noise_floor_file, write_noise_floor
from kdeval.report.noise_terminal import noise_renderables
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress, ask_models
from kdeval.run.cluster import Cluster, executor_on
from kdeval.run.prepare import RunInputs, prepare
from kdeval.run.writing import write_run
from kdeval.store.fingerprints import value_digest
from kdeval.store.predictions import PredictionStore
from kdeval.store.run_directory import RunDirectory
from kdeval.workflows.answers import cache_lines, cache_problems, open_answers
from kdeval.workflows.benchmarks import BenchmarkPart, benchmark_part, prepare_benchmarks
from kdeval.workflows.evaluate import open_run_directory

if TYPE_CHECKING:
    from kdeval.benchmarks.marked import ModelAnswers
    from kdeval.benchmarks.run import Benchmarks

__all__ = ["SelfCompared", "compare_with_itself"]

ALL_MODELS = "all"
_HARDWARE = ("machine", "processor", "accelerator")
_DESCRIPTION = ("parameters", "bytes_on_disk", "device", "dtype", "peak_memory_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCompared:
    """The noise floors that were measured, and the files that hold them.

    Attributes:
        asked: requests asked now, of all models and conditions.
        skipped: models that nothing could be varied of, with the reason.
        cache: what was read from the shared cache and added to it, and what was wrong with it.
    """

    floors: tuple[NoiseFloor, ...]
    files: tuple[Path, ...]
    asked: int
    skipped: Mapping[str, str]
    cache: tuple[str, ...] = ()

    def show(self, console: Console | None = None) -> None:
        """Prints the tables."""
        console = console or Console(highlight=False)
        for floor in self.floors:
            for item in noise_renderables(floor):
                console.print(item)
        for name, reason in self.skipped.items():
            console.print(f"{name}: left out: {reason}", markup=False)
        for line in self.cache:
            console.print(line, markup=False, soft_wrap=True)


def compare_with_itself(
    config: RunConfig,
    out: Path,
    *,
    base: Path,
    model: str | None = None,
    vary: Sequence[Condition] = (),
    repeats: int = 1,
    limit: int | None = None,
    progress: Progress,
    cluster: Cluster | None = None,
) -> SelfCompared:
    """The noise floor of one model of `config`, or of all.

    Answers go through the store of the run directory `out`, each condition under keys of its own:
    answers that the run has as configured are not asked again, and a repeat is a real repeat.

    Args:
        config: from `load_config`.
        out: a run's directory, or where one will be.
        base: where modules of "module:Class" models lie.
        model: which; None: the teacher; "all": each.
        vary: conditions; none: every one that the model can be put under.
        repeats: how often it is asked again, and with how many other seeds.
        limit: at most so many samples a suite, the same that `kdeval run --limit` takes.
        progress: called with (stage, done, total).
        cluster: where models are asked; None: in this process.

    Raises:
        UsageError: there is no such model, or it cannot be put under a condition of `vary`.
        ModelError: under some condition, not one request was answered.
    """
    search = [base, Path.cwd()]
    chosen = _chosen(config, model)
    plans: list[_Plan] = []
    skipped: dict[str, str] = {}
    for item in chosen:
        plan = _plan(config, item, vary, repeats=repeats, limit=limit, search=search)
        if vary and plan.not_varied and model != ALL_MODELS:
            refused = plan.not_varied[0]
            raise UsageError(f"--vary {refused.condition}: {item.name}: {refused.reason}")
        if plan.variants:
            plans.append(plan)
        else:
            skipped[item.name] = "; ".join(dict.fromkeys(n.reason for n in plan.not_varied))
    if not plans:
        said = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise UsageError(f"nothing can be varied: {said}")
    open_run_directory(out)
    floors, files, asked = [], [], 0
    with open_answers(config, out) as store:
        for plan in plans:
            floor, count = _measure(plan, store, out, progress, cluster)
            floors.append(floor)
            files.append(noise_floor_file(out, floor.model))
            asked += count
    return SelfCompared(
        floors=tuple(floors),
        files=tuple(files),
        asked=asked,
        skipped=skipped,
        cache=(*cache_lines(store), *(f"warning: {line}" for line in cache_problems(store))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    item: ModelConfig
    inputs: RunInputs
    benchmarks: Benchmarks | None
    variants: tuple[Variant, ...]
    not_varied: tuple[NotVaried, ...]


def _chosen(config: RunConfig, model: str | None) -> Sequence[ModelConfig]:
    if model == ALL_MODELS:
        return config.models
    if model is None:
        return (config.teacher,)
    found = [item for item in config.models if item.name == model]
    if not found:
        names = [item.name for item in config.models]
        raise UsageError(f"--model: there is no {model!r}; {nearest(model, [*names, ALL_MODELS])}")
    return found


def _plan(
    config: RunConfig,
    item: ModelConfig,
    vary: Sequence[Condition],
    *,
    repeats: int,
    limit: int | None,
    search: Sequence[Path],
) -> _Plan:
    alone = config.model_copy(
        update={
            "teacher": item,
            "students": [],
            "series": [],
            "token_fidelity": None,
            "hidden_states": None,
            "latency_probe": False,
        }
    )
    inputs = prepare(alone, limit=limit, search=search)
    benchmarks = prepare_benchmarks(inputs)
    kinds = [suite.kind for suite in inputs.suites]
    kinds += () if benchmarks is None else benchmarks.kinds.values()
    variants, not_varied = variants_of(
        item, inputs.models[item.name], kinds, vary or CONDITIONS, repeats=repeats
    )
    if not vary and any(variant.condition == "seed" for variant in variants):
        variants = tuple(variant for variant in variants if variant.condition != "repeat")
        not_varied += (
            NotVaried(condition="repeat", reason="left out: another seed draws anew, as it would"),
        )
    return _Plan(
        item=item, inputs=inputs, benchmarks=benchmarks, variants=variants, not_varied=not_varied
    )


def _measure(
    plan: _Plan, store: PredictionStore, out: Path, progress: Progress, cluster: Cluster | None
) -> tuple[NoiseFloor, int]:
    """The floor, written; and how many requests were asked for it."""
    inputs, part = _ask_all(plan, store, progress, cluster)
    asked = part.asked
    silent = [
        name
        for name in inputs.models
        if asked.failures(name).total() == sum(map(len, asked.of(name)))
    ]
    if silent:
        reason = asked.failures(silent[0]).most_common(1)[0][0]
        raise ModelError(f"{silent[0]}: not one request was answered: {reason}")
    folder = noise_floor_file(out, plan.item.name).with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    write_run(inputs, asked, store, folder, part.scored)
    done = RunDirectory.open(folder)
    notes = () if asked.asked[plan.item.name] else _elsewhere(out, done.manifest.header)
    if store.shared is not None and any(store.shared.read[name] for name in inputs.models):
        notes += ("answers were taken from a shared cache: what changed may include the hardware",)
    floor = noise_floor(done, plan.variants, plan.not_varied, notes)
    write_noise_floor(floor, out)
    return floor, sum(asked.asked.values())


def _elsewhere(out: Path, here: RunHeader) -> tuple[str, ...]:
    """That the configured answers come from other hardware, where the run in `out` says so."""
    if not (out / "run.json").exists():
        return ()
    there = RunDirectory.open(out).manifest.header.hardware
    names = [
        name for name in _HARDWARE if there.get(name) != here.hardware.get(name) and there.get(name)
    ]
    if not names:
        return ()
    said = ", ".join(there[name] for name in names)
    return (f"the configured answers were given on {said}: what changed includes the hardware",)


def _ask_all(
    plan: _Plan, store: PredictionStore, progress: Progress, cluster: Cluster | None
) -> tuple[RunInputs, BenchmarkPart]:
    """The run whose students are the model under each condition, with lm-eval's tasks.

    One set of weights is in memory at a time: a condition that needs other settings builds the
    model anew, after those that do not.
    """
    own = plan.item.name
    names = {f"{own}.{variant.name}": variant for variant in plan.variants}
    students = [plan.item.model_copy(update={"name": name, **v.settings})
                for name, v in names.items()]  # fmt: skip
    inputs = replace(
        plan.inputs,
        config=plan.inputs.config.model_copy(update={"students": students, "costs": {}}),
        fingerprints={
            own: plan.inputs.fingerprints[own],
            **{name: _fingerprint(plan, variant) for name, variant in names.items()},
        },
        replicates={name: variant.replicate for name, variant in names.items()},
    )
    described: dict[str, Model] = {}
    parts: list[Asked] = []
    answers: dict[str, ModelAnswers] = {}
    as_it_is = [name for name, variant in names.items() if not variant.settings]
    rebuilt = [name for name, variant in names.items() if variant.settings]
    model: Model | None = plan.inputs.models.pop(own)
    for name in (own, *as_it_is, *rebuilt):
        if name in rebuilt:
            model = None
            gc.collect()
            varied = plan.item.model_copy(update=names[name].settings)
            model = build_model(varied, search=inputs.search)
        asked_as = _rebatched(model, names.get(name))
        alone = replace(inputs, models={name: asked_as})
        executor = executor_on(cluster, alone)
        parts.append(ask_models(alone, store, progress=progress, executor=executor))
        if plan.benchmarks is not None:
            found = plan.benchmarks.ask(alone, store, progress=progress, executor=executor)
            parts.append(found.asked)
            answers |= found.answers
        described[name] = cast("Model", _description(asked_as))
        del asked_as, alone, executor
    in_order = {name: described[name] for name in inputs.fingerprints}
    asked = Asked.together(parts)
    return replace(inputs, models=in_order), benchmark_part(plan.benchmarks, inputs, asked, answers)


def _fingerprint(plan: _Plan, variant: Variant) -> str:
    """A repeat is the same model under another replicate; any other condition has its own keys."""
    own = plan.inputs.fingerprints[plan.item.name]
    if variant.condition == "repeat":
        return own
    return value_digest([own, "aa", variant.condition, variant.name])


def _rebatched(model: Model | None, variant: Variant | None) -> Model:
    assert model is not None
    if variant is None or variant.batch_size is None:
        return model
    return cast("Model", Rebatched(model, variant.batch_size))


def _description(model: Model) -> SimpleNamespace:
    """What the manifest says of a model, without its weights."""
    return SimpleNamespace(**{name: getattr(model, name, None) for name in _DESCRIPTION})
