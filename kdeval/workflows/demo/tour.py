"""`kdeval demo`: the whole chain on a pair of its own, through the ordinary commands' functions."""

from __future__ import annotations

import json
import shlex
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kdeval_router import Router
from rich.console import Console
from rich.text import Text

from kdeval.config.schema import load_config
from kdeval.errors import UsageError
from kdeval.routing.guarantee import FitSettings
from kdeval.workflows.demo.build import build_demo
from kdeval.workflows.demo.digits import write_digits
from kdeval.workflows.evaluate import evaluate
from kdeval.workflows.reporting import ReportInputs, judge_run, write_report
from kdeval.workflows.routing import evaluate_and_show, fit_and_show

__all__ = ["take_tour"]

Progress = Callable[[str, int, int], None]
ProgressBars = Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """What a tour has been given to show.

    Attributes:
        gated: the students that the gate is shown with.
        heldout: configuration of a run whose messages the router has not seen, and these
            messages; None: the router is evaluated on the test split of the first run.
    """

    config: Path
    policy: Path
    gated: tuple[str, ...]
    heldout: tuple[Path, Path] | None


def take_tour(
    out: Path,
    *,
    seed: int,
    small: bool = False,
    model_dir: Path | None = None,
    data_dir: Path | None = None,
    progress_bars: ProgressBars,
    console: Console | None = None,
) -> None:
    """Everything under `out`, and what each command prints; safe to repeat.

    Args:
        out: made when it is missing; models and answers that are there are used again.
        seed: of training, sampling and splits.
        small: the digits pair, which needs neither torch nor a download.
        model_dir: the encoder to start from, instead of fetching it.
        data_dir: the rated texts, instead of fetching them.
        progress_bars: makes the context that shows progress.
        console: where it is told.
    """
    console = console or Console(highlight=False)
    started = time.monotonic()
    if small and (model_dir or data_dir):
        raise UsageError("--small fetches nothing: leave out --model-dir and --data-dir")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: give a directory with --out")
    with progress_bars() as progress:
        stop = (
            _digits(out, seed, console)
            if small
            else _sentiment(out, seed, model_dir, data_dir, progress, console)
        )
    run = _run(stop.config, out / "runs" / "eval", progress_bars, console)
    _judge(run, stop, console)
    router = out / "router"
    _command(console, "route", "fit", run, "-o", router, "--seed", seed)
    fit_and_show(run, router, FitSettings(seed=seed), console=console)
    unseen = run
    if stop.heldout is not None:
        unseen = _run(stop.heldout[0], out / "runs" / "heldout", progress_bars, console)
    _command(console, "route", "eval", router, unseen)
    evaluate_and_show(router, unseen, out / "router-evaluation.json", console=console)
    if stop.heldout is not None:
        _send_through_runtime(router, stop.heldout[1], console)
    judged = (run, "--policy", stop.policy, "--router", router)
    _command(console, "report", *judged, "--format", "html")
    page = write_report(
        run,
        out=run / "report",
        formats=("html",),
        inputs=ReportInputs(policy=stop.policy, router=router),
    )
    console.print(Text(f"wrote {page.files[0]}: open it in a browser"))
    console.print(Text(f"\nAll of it took {time.monotonic() - started:.0f} s; it is in {out}."))


def _sentiment(
    out: Path,
    seed: int,
    model_dir: Path | None,
    data_dir: Path | None,
    progress: Progress,
    console: Console,
) -> _Stop:
    files = build_demo(out, seed=seed, model_dir=model_dir, data_dir=data_dir, progress=progress)
    console.print(Text(files.summary))
    return _Stop(
        config=files.config,
        policy=files.policy,
        gated=files.gated,
        heldout=(files.heldout_config, files.heldout_data),
    )


def _digits(out: Path, seed: int, console: Console) -> _Stop:
    files = write_digits(out, seed=seed)
    console.print(Text(f"{out}: recorded answers of a teacher and two students to 1,000 digits."))
    return _Stop(
        config=files.config, policy=files.policy, gated=("linear", "row_sums"), heldout=None
    )


def _judge(run: Path, stop: _Stop, console: Console) -> None:
    _command(console, "report", run)
    write_report(run, out=run / "report", formats=("md", "json", "baseline")).show(console)
    for student in stop.gated:
        _command(console, "gate", run, "--policy", stop.policy, "--student", student)
        judgement = judge_run(run, policy=stop.policy, student=student, out=run / "gate" / student)
        judgement.show(console)
        console.print(Text(f"exit code {judgement.exit_code}"))


def _run(config: Path, out: Path, progress_bars: ProgressBars, console: Console) -> Path:
    _command(console, "run", config, "--out", out)
    with progress_bars() as progress:
        done = evaluate(load_config(config), out, base=config.resolve().parent, progress=progress)
    for line in done.summary:
        console.print(Text(line))
    return out


def _command(console: Console, *words: object) -> None:
    line = shlex.join(("kdeval", *map(str, words)))
    console.print(Text(f"\n$ {line}", style="bold"))


def _send_through_runtime(router: Path, messages: Path, console: Console) -> None:
    """Every held-out message through the router as an application would call it."""
    loaded = Router.load(router)
    targets: Counter[str] = Counter()
    seconds = []
    for line in messages.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        start = time.perf_counter()
        decision = loaded.decide(text)
        seconds.append(time.perf_counter() - start)
        targets[decision.target] += 1
    shares = ", ".join(f"{name} {count:,}" for name, count in targets.most_common())
    console.print(
        Text(
            f"\n{len(seconds):,} messages through kdeval_router: {shares}; "
            f"{1e6 * statistics.median(seconds):.0f} µs a decision (median)."
        )
    )
