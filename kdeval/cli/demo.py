"""`kdeval demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("kdeval-demo"),
    show_default=True,
    help="Where everything goes.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="A directory with all-MiniLM-L6-v2, instead of fetching it.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="A directory with VADER's *_GroundTruth.txt files, instead of fetching them.",
)
@click.option(
    "--small", is_flag=True, help="Digits instead: seconds, neither torch nor a download needed."
)
def demo(out: Path, seed: int, small: bool, model_dir: Path | None, data_dir: Path | None) -> None:
    """Distil a real teacher, then measure, gate and route its students, in a few minutes.

    Trains a sentiment teacher on four domains, distils students of it, and runs the ordinary
    commands on them; everything is left in --out to be run again by hand.
    """
    from kdeval.cli.progress import progress_bars
    from kdeval.workflows.demo.tour import take_tour

    take_tour(
        out,
        seed=seed,
        small=small,
        model_dir=model_dir,
        data_dir=data_dir,
        progress_bars=progress_bars,
    )
