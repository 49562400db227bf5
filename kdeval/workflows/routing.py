"""`kdeval route`: fit, evaluate, explain, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kdeval.report.router_terminal import evaluation_renderables, fit_renderables
from kdeval.report.strict_json import write_json
from kdeval.routing.evaluate import RouterEvaluation, evaluate_router
from kdeval.routing.fit import FitSummary, fit_router
from kdeval.store.run_directory import RunDirectory

__all__ = ["evaluate_and_show", "fit_and_show"]


def fit_and_show(
    run: Path,
    out: Path,
    *,
    students: Sequence[str] | None = None,
    max_drop: float = 0.02,
    confidence: float = 0.9,
    alpha: float = 0.05,
    seed: int = 0,
    encoder_dir: Path | None = None,
    metric: str | None = None,
    console: Console | None = None,
) -> FitSummary:
    """What `fit_router` wrote, after showing it."""
    summary = fit_router(
        RunDirectory.open(run),
        out,
        students=students,
        max_drop=max_drop,
        confidence=confidence,
        alpha=alpha,
        seed=seed,
        encoder_dir=encoder_dir,
        metric=metric,
    )
    console = console or Console(highlight=False)
    for item in fit_renderables(summary):
        console.print(item)
    return summary


def evaluate_and_show(
    router: Path, run: Path, json_file: Path | None = None, *, console: Console | None = None
) -> RouterEvaluation:
    """What `evaluate_router` found, after showing it and writing it where asked."""
    result = evaluate_router(router, RunDirectory.open(run))
    console = console or Console(highlight=False)
    for item in evaluation_renderables(result):
        console.print(item)
    if json_file is not None:
        write_json(result, json_file, "--json")
    return result
