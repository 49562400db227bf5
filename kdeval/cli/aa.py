"""`kdeval aa`."""

from __future__ import annotations

from pathlib import Path

import click

from kdeval.cli.cache_option import cache_option, with_cache
from kdeval.cli.executor_options import ExecutorCommand, Where, executor_options

CONDITIONS = ("batch_size", "seed", "dtype", "device", "repeat")


@click.command(cls=ExecutorCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--model", help='Which model; "all": each of them.  [default: the teacher]')
@click.option(
    "--vary",
    multiple=True,
    type=click.Choice(CONDITIONS),
    help="May be given again.  [default: all that the model can be put under]",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="How often to ask again, and with how many other seeds.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run directory [runs/<config name>].")
@click.option("--limit", type=click.IntRange(min=1), help="At most N samples a suite (stratified).")
@cache_option
@executor_options
def aa(
    config: Path,
    model: str | None,
    vary: tuple[str, ...],
    repeats: int,
    out: Path | None,
    limit: int | None,
    cache: Path | None,
    where: Where,
) -> None:
    """Compare a model of CONFIG with itself: the noise floor under every claimed difference.

    Asks the same samples again under other conditions and writes noise_floor/MODEL.json into the
    run directory, where `kdeval report` finds it. Answers that the run has are not asked again.
    """
    from typing import cast

    from kdeval.cli.progress import progress_bars
    from kdeval.config.schema import load_config
    from kdeval.models.variants import Condition
    from kdeval.workflows.aa import compare_with_itself

    loaded = with_cache(load_config(config), cache)
    out = out or Path("runs") / (loaded.name or config.stem)
    with where.cluster() as cluster, progress_bars() as progress:
        done = compare_with_itself(
            loaded,
            out,
            base=config.resolve().parent,
            model=model,
            vary=tuple(cast("Condition", name) for name in vary),
            repeats=repeats,
            limit=limit,
            progress=progress,
            cluster=cluster,
        )
    done.show()
    click.echo(f"{done.asked} requests asked now")
    for file in done.files:
        click.echo(f"wrote {file}")
