"""`kdeval run`: ask, probe the latency, score, write."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kdeval.compare.off_label import off_label_lines
from kdeval.compare.unscored import unscored_lines
from kdeval.config.schema import RunConfig
from kdeval.cost.unused_prices import unused_price_lines
from kdeval.errors import RunError, UsageError
from kdeval.latency.rounds import ROUNDS_FILE
from kdeval.run.asked import Asked
from kdeval.run.asking import Progress, ask_models
from kdeval.run.cluster import Cluster, executor_on
from kdeval.run.prepare import RunInputs, prepare
from kdeval.run.spending import spent_lines
from kdeval.run.writing import write_run
from kdeval.store.hidden import HIDDEN_FILES
from kdeval.store.looks import LOOKS_FILE, read_looks
from kdeval.store.predictions import writer_lock
from kdeval.store.reasons import reason_lines
from kdeval.store.run_directory import RunDirectory
from kdeval.store.spending import begin_with, spent_in
from kdeval.store.tokens import TEXTS_FILE, TOKENS_FILE
from kdeval.workflows.answers import cache_lines, cache_problems, open_answers
from kdeval.workflows.benchmarks import ask_benchmarks, prepare_benchmarks
from kdeval.workflows.hidden_states import (
    check_hidden_states,
    left_out_lines,
    run_hidden_states,
)
from kdeval.workflows.probing import AskedRun, probe_latency
from kdeval.workflows.token_fidelity import check_token_fidelity, run_token_fidelity

__all__ = ["Evaluated", "evaluate", "model_notes", "open_run_directory"]

_OWN_FILES = (
    "run.json",
    "predictions.sqlite",
    "predictions.sqlite-wal",
    "predictions.sqlite-shm",
    "predictions.sqlite-journal",
    "samples.parquet",
    "pairs.parquet",
    "latency.parquet",
    ROUNDS_FILE,
    "members.parquet",
    LOOKS_FILE,
    TOKENS_FILE,
    TEXTS_FILE,
    *HIDDEN_FILES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A finished run, and what finishing it took.

    Attributes:
        asked: per model, requests asked now.
        cached: per model, answers known from before.
        failures: per model, the reasons of what failed with their counts.
        warnings: what is odd but no error.
        cache: what was read from the shared cache and added to it, in words.
        spent: what was spent on each model that costs money, in words.
    """

    run: RunDirectory
    asked: dict[str, int]
    cached: dict[str, int]
    failures: dict[str, Counter[str]]
    warnings: tuple[str, ...]
    cache: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()

    @property
    def summary(self) -> tuple[str, ...]:
        """A line a model: what was asked, what was known before, what failed and why."""
        lines = []
        recorded = {entry.name for entry in self.run.manifest.models if entry.type == "recorded"}
        workers = {entry.name: entry.workers for entry in self.run.manifest.models}
        for name, asked in self.asked.items():
            failed = self.failures[name]
            line = f"{name}: {max(0, asked - failed.total())} answered now"
            if workers.get(name):
                line += f" by {workers[name]} worker{'s' if workers[name] != 1 else ''}"
            if self.cached[name]:
                line += f", {self.cached[name]} known from before"
            if failed:
                way_out = (
                    "the log has no answer to those"
                    if name in recorded
                    else "the same command asks those again"
                )
                line += f", {failed.total()} failed ({way_out})"
            lines.append(line)
            lines += [f"  {line}" for line in reason_lines(failed)]
        return (*lines, *self.spent, *self.cache, *(f"warning: {line}" for line in self.warnings))

    @property
    def without_answer(self) -> tuple[str, ...]:
        """Models of which every request failed."""
        return tuple(
            entry.name
            for entry in self.run.manifest.models
            if entry.requests and entry.errors == entry.requests
        )


_BEFORE_FRESH = "predictions.before-fresh.sqlite"
"""The answers that --fresh replaces, kept until new ones are there."""


def _silent(stage: str, done: int, total: int) -> None:
    """Progress for nobody."""


def evaluate(
    config: RunConfig,
    out: Path,
    *,
    base: Path | None = None,
    limit: int | None = None,
    fresh: bool = False,
    progress: Progress = _silent,
    tell: Callable[[str], None] = lambda line: None,
    cluster: Cluster | None = None,
) -> Evaluated:
    """The finished run in `out`; what an earlier call there already asked is not asked again.

    Args:
        config: from `load_config`.
        out: the run's directory, made when it is missing.
        base: where modules of "module:Class" models lie; the working directory always counts.
        limit: at most so many samples a suite, a seeded stratified sample.
        fresh: ask everything again; the old answers are kept until that has succeeded.
        progress: called with (stage, done, total).
        tell: called with what a latency probe will take, in a line.
        cluster: where models are asked, and released once they were; None: in this process.
            Latency and tokens are always measured in this process.

    Raises:
        KdevalError: on anything the user can mend; what was asked until then is kept.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: give at least 1")
    search = [Path.cwd()] if base is None else [base, Path.cwd()]
    inputs = prepare(config, limit=limit, search=search)
    benchmarks = prepare_benchmarks(inputs)
    warnings = (
        *inputs.warnings,
        *(() if benchmarks is None else benchmarks.loaded.warnings),
        *check_token_fidelity(inputs),
        *check_hidden_states(inputs),
    )
    refuse_looks(out)
    open_run_directory(out, fresh=fresh)
    with open_answers(config, out, fresh=fresh) as store:
        executor = executor_on(cluster, inputs)
        asked = ask_models(inputs, store, progress=progress, executor=executor)
        added = ask_benchmarks(
            benchmarks, inputs, asked, store, progress=progress, executor=executor
        )
        asked = added.asked
        if cluster is not None:
            cluster.release()
        probed = AskedRun(
            inputs=inputs, asked=asked, store=store, out=out, added=added, progress=progress,
            tell=tell,
        )  # fmt: skip
        spared = probe_latency(probed)
        run_token_fidelity(inputs, asked, store, out, progress)
        run_hidden_states(inputs, out, progress)
        write_run(inputs, asked, store, out, added.scored)
    warnings = (*warnings, *spared, *model_notes(inputs, asked), *cache_problems(store))
    done = replace(
        _evaluated(out, asked, warnings),
        cache=cache_lines(store),
        spent=spent_lines(inputs.models),
    )
    if not done.without_answer:
        (out / _BEFORE_FRESH).unlink(missing_ok=True)
    return done


def refuse_looks(out: Path) -> None:
    """Nothing, or RunError where looks were taken: asking otherwise would be a second chance."""
    if not out.is_dir():
        return
    looks = read_looks(out)
    if looks is not None and (looks.taken or (out / "run.json").exists()):
        raise RunError(
            f"{out} is looked at while it grows (--until-decided {looks.policy_name}): the same "
            "command goes on; for any other run give another --out"
        )
    (out / LOOKS_FILE).unlink(missing_ok=True)


def _evaluated(out: Path, asked: Asked, warnings: tuple[str, ...]) -> Evaluated:
    run = RunDirectory.open(out)
    return Evaluated(
        run=run,
        asked=asked.asked,
        cached={name: len(keys) for name, keys in asked.cached.items()},
        failures={name: asked.failures(name) for name in asked.asked},
        warnings=(
            *warnings,
            *unused_price_lines(run),
            *off_label_lines(run),
            *unscored_lines(run),
            *left_out_lines(run),
            *(note for suite in run.manifest.suites for note in suite.notes),
        ),
    )


def model_notes(inputs: RunInputs, asked: Asked) -> Iterator[str]:
    """What the models, or their workers, say of how answers were computed, a line each."""
    for name, model in inputs.models.items():
        there = asked.elsewhere.get(name)
        notes = (*getattr(model, "notes", ()), *(() if there is None else there.notes))
        yield from (f"{name}: {note}" for note in dict.fromkeys(notes))


def open_run_directory(out: Path, *, fresh: bool = False) -> None:
    """Makes `out`, and refuses a directory that holds something other than a run.

    Args:
        out: the run's directory.
        fresh: nothing of the run there stays but what it has spent.
    """
    if out.is_file():
        raise RunError(f"{out} is a file: give a directory with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error}") from error
    present = set(os.listdir(out))
    if present and not present.intersection(_OWN_FILES):
        raise RunError(
            f"{out} holds other files ({sorted(present)[0]!r}, ...) and no run: give another --out"
        )
    if fresh:
        store = out / "predictions.sqlite"
        with writer_lock(store):
            spent = spent_in(store)
            if store.exists() and not (out / _BEFORE_FRESH).exists():
                store.rename(out / _BEFORE_FRESH)
            for name in _OWN_FILES:
                (out / name).unlink(missing_ok=True)
            begin_with(store, spent)
