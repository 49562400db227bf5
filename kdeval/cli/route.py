"""`kdeval route fit | eval | explain`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.group()
def route() -> None:
    """Fit, evaluate and explain the router that sends mastered requests to the student."""


@route.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory for router.yaml and router.safetensors.",
)
@click.option("--student", "students", multiple=True, help="May be given again [all students].")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.02,
    show_default=True,
    help="Most quality that may be lost, over all requests.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.9,
    show_default=True,
    help="With which that bound holds.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5),
    default=0.05,
    show_default=True,
    help="Share of in-distribution requests that may be taken for foreign.",
)
@click.option("--metric", help="Which score of the suites counts [the first].")
@click.option(
    "--suite",
    "suites",
    multiple=True,
    help="May be given again [all whose score is 0 or 1, where 1 is right].",
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path),
    help="Directory with tokenizer.json and static embeddings (model.safetensors).",
)
@click.option("--seed", type=int, default=0, show_default=True)
def fit(
    run: Path,
    out: Path,
    students: tuple[str, ...],
    max_drop: float,
    confidence: float,
    alpha: float,
    metric: str | None,
    suites: tuple[str, ...],
    encoder: Path | None,
    seed: int,
) -> None:
    """Fit a router on RUN: mastered tasks to the student, the rest to the teacher, certified."""
    from kdeval.routing.guarantee import FitSettings
    from kdeval.workflows.routing import fit_and_show

    before = (out / "router.yaml").exists()
    fit_and_show(
        run,
        out,
        FitSettings(
            students=students or None,
            max_drop=max_drop,
            confidence=confidence,
            alpha=alpha,
            seed=seed,
            encoder_dir=encoder,
            metric=metric,
            suites=suites,
        ),
    )
    replaced = " (replaced both)" if before else ""
    click.echo(f"wrote {out / 'router.yaml'} and {out / 'router.safetensors'}{replaced}")


@route.command("eval")
@click.argument("router", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write it here.")
@click.option(
    "--suite",
    "suites",
    multiple=True,
    help="May be given again [those ROUTER was fitted on; all where RUN has none of them].",
)
def evaluate(router: Path, run: Path, json_file: Path | None, suites: tuple[str, ...]) -> None:
    """What ROUTER does to quality and cost on those samples of RUN that it has not seen."""
    from kdeval.workflows.routing import evaluate_and_show

    evaluate_and_show(router, run, json_file, suites=suites)


@route.command()
@click.argument("router", type=click.Path(path_type=Path))
@click.argument("text")
def explain(router: Path, text: str) -> None:
    """Say in words where ROUTER sends TEXT, and why ("-" reads standard input)."""
    from kdeval.routing.explain import explain_text

    request = sys.stdin.read() if text == "-" else text
    click.echo(str(explain_text(router, request)))
