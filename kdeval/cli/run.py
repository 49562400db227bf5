"""`kdeval run`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from kdeval.cli.cache_option import cache_option, with_cache
from kdeval.cli.executor_options import ExecutorCommand, Where, executor_options


@click.command(cls=ExecutorCommand)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Run directory [runs/<config name>].")
@click.option("--limit", type=click.IntRange(min=1), help="At most N samples a suite (stratified).")
@click.option("--fresh", is_flag=True, help="Forget what was asked before, and ask again.")
@click.option(
    "--until-decided",
    "policy",
    type=click.Path(path_type=Path),
    help="A gate.yaml: ask in looks, and stop as soon as it is decided.",
)
@click.option("--looks", type=click.IntRange(2, 20), help="How many looks there may be [5].")
@click.option(
    "--sequential",
    type=click.Choice(["obrien-fleming", "betting"]),
    help="How error is spread over the looks; betting has no last look [obrien-fleming].",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="As for `kdeval gate`, where the policy of --until-decided needs one.",
)
@cache_option
@executor_options
def run(
    config: Path,
    out: Path | None,
    limit: int | None,
    fresh: bool,
    policy: Path | None,
    looks: int | None,
    sequential: str | None,
    baseline: Path | None,
    cache: Path | None,
    where: Where,
) -> None:
    """Ask teacher and students what CONFIG says, and score the answers.

    Killed or interrupted, the same command goes on where it was. With --until-decided the samples
    are asked in looks, each judged at a level of its own, so that all looks together keep every
    rule's confidence; the verdict is written as `kdeval gate` writes it, and that command gives
    its exit code. This one's is 0 once a verdict was reached, whichever it is.
    """
    from kdeval.errors import UsageError

    if policy is not None:
        if fresh:
            raise UsageError("--fresh would be a second chance: give another --out")
        if looks is not None and sequential == "betting":
            raise UsageError("--looks goes with obrien-fleming: betting may look at any time")
        _until_decided(
            config, out, limit=limit, policy=policy, looks=looks or 5,
            betting=sequential == "betting", baseline=baseline, cache=cache,
            where=where,
        )  # fmt: skip
        return
    for option, value in (("looks", looks), ("sequential", sequential), ("baseline", baseline)):
        if value is not None:
            raise UsageError(f"--{option} goes with --until-decided")
    _run(config, out, limit=limit, fresh=fresh, cache=cache, where=where)


def _run(
    config: Path,
    out: Path | None,
    *,
    limit: int | None,
    fresh: bool,
    cache: Path | None,
    where: Where,
) -> None:
    from kdeval.cli.progress import progress_bars
    from kdeval.config.schema import load_config
    from kdeval.errors import ModelError
    from kdeval.workflows.earlier_run import replaced_run
    from kdeval.workflows.evaluate import evaluate

    loaded = with_cache(load_config(config), cache)
    out = out or Path("runs") / (loaded.name or config.stem)
    replaced = replaced_run(loaded, out)
    if replaced is not None:
        click.echo(f"warning: {replaced}", err=True)
    with where.cluster() as cluster, progress_bars() as progress:
        done = evaluate(
            loaded,
            out,
            base=config.resolve().parent,
            limit=limit,
            fresh=fresh,
            progress=progress,
            tell=_announce,
            cluster=cluster,
        )
    for line in done.summary:
        click.echo(line)
    if done.without_answer:
        raise ModelError(
            f"{', '.join(done.without_answer)}: not one request was answered; see the reasons above"
        )
    click.echo(f"next: {shlex.join(['kdeval', 'report', str(out)])}")


def _announce(line: str) -> None:
    click.echo(line, err=True)


def _until_decided(
    config: Path,
    out: Path | None,
    *,
    limit: int | None,
    policy: Path,
    looks: int,
    betting: bool,
    baseline: Path | None,
    cache: Path | None,
    where: Where,
) -> None:
    from rich.console import Console

    from kdeval.cli.progress import progress_bars
    from kdeval.config.schema import load_config
    from kdeval.report.looks_terminal import look_renderables, saved_text
    from kdeval.workflows.reporting import judge_run
    from kdeval.workflows.until_decided import LookReport, ask_until_decided

    loaded = with_cache(load_config(config), cache)
    out = out or Path("runs") / (loaded.name or config.stem)
    console = Console(highlight=False)

    def tell(report: LookReport) -> None:
        for item in look_renderables(report.decision, earlier=report.earlier):
            console.print(item)

    with where.cluster() as cluster, progress_bars() as progress:
        done = ask_until_decided(
            loaded,
            out,
            policy=policy,
            base=config.resolve().parent,
            limit=limit,
            kind="betting" if betting else "obrien_fleming",
            looks=looks,
            baseline=baseline,
            progress=progress,
            tell=tell,
            announce=_announce,
            cluster=cluster,
        )
    judgement = judge_run(
        out, policy=policy, student=done.decision.student, baseline=baseline, out=out / "gate"
    )
    click.echo()
    judgement.show(console)
    click.echo(saved_text(done.decision))
    for line in done.evaluated.summary:
        click.echo(line)
    following = ["kdeval", "report", str(out), "--policy", str(policy)]
    click.echo(f"next: {shlex.join(following)}")
