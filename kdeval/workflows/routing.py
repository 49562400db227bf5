"""`kdeval route`: fit, evaluate, explain, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kdeval.compare.looks import looks_confidence
from kdeval.errors import UsageError
from kdeval.report.router_terminal import evaluation_renderables, fit_renderables
from kdeval.report.strict_json import write_json
from kdeval.routing.evaluate import RouterEvaluation, evaluate_router
from kdeval.routing.fit import FitSummary, fit_router
from kdeval.routing.guarantee import FitSettings
from kdeval.store.run_directory import RunDirectory

__all__ = ["evaluate_and_show", "fit_and_show"]


def fit_and_show(
    run: Path,
    out: Path,
    settings: FitSettings | None = None,
    *,
    console: Console | None = None,
) -> FitSummary:
    """What `fit_router` wrote, after showing it.

    Raises:
        UsageError: the run stopped asking because of its own results.
    """
    opened = RunDirectory.open(run)
    _check_not_stopped(opened)
    summary = fit_router(opened, out, settings)
    console = console or Console(highlight=False)
    for item in fit_renderables(summary):
        console.print(item)
    return summary


def _check_not_stopped(run: RunDirectory) -> None:
    """A certificate is for samples that were fixed beforehand; all that were planned are that."""
    looks, look = run.looks(), run.manifest.look
    if looks is None or look is None:
        return
    if looks.kind == "betting" or look < looks.planned:
        raise UsageError(
            f"{run.path} stopped asking when its policy was decided (look {look}), and a router's "
            "certificate needs samples that were fixed beforehand: run all of them into another "
            "--out"
        )


def evaluate_and_show(
    router: Path,
    run: Path,
    json_file: Path | None = None,
    *,
    suites: Sequence[str] = (),
    console: Console | None = None,
) -> RouterEvaluation:
    """What `evaluate_router` found, after showing it and writing it where asked."""
    opened = RunDirectory.open(run)
    confidence = looks_confidence(opened, 0.95)
    result = evaluate_router(router, opened, confidence=confidence, suites=suites)
    console = console or Console(highlight=False)
    for item in evaluation_renderables(result):
        console.print(item)
    if json_file is not None:
        write_json(result, json_file, "--json")
    return result
