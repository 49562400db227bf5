"""`kdeval run`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Run directory [runs/<config name>].")
@click.option("--limit", type=click.IntRange(min=1), help="At most N samples a suite (stratified).")
@click.option("--fresh", is_flag=True, help="Forget what was asked before, and ask again.")
def run(config: Path, out: Path | None, limit: int | None, fresh: bool) -> None:
    """Ask teacher and students what CONFIG says, and score the answers.

    Killed or interrupted, the same command goes on where it was.
    """
    from kdeval.cli.progress import progress_bars
    from kdeval.config.schema import load_config
    from kdeval.errors import ModelError
    from kdeval.workflows.evaluate import evaluate

    loaded = load_config(config)
    out = out or Path("runs") / (loaded.name or config.stem)
    with progress_bars() as progress:
        done = evaluate(
            loaded,
            out,
            base=config.resolve().parent,
            limit=limit,
            fresh=fresh,
            progress=progress,
        )
    for line in done.summary:
        click.echo(line)
    if done.without_answer:
        raise ModelError(
            f"{', '.join(done.without_answer)}: not one request was answered; see the reasons above"
        )
    click.echo(f"next: kdeval report {out}")
