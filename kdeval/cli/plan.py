"""`kdeval plan`."""

from __future__ import annotations

from pathlib import Path

import click

SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


def _shares(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    found = {}
    for value in values:
        name, _, share = value.rpartition("=")
        try:
            found[name] = float(share)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 < found[name] <= 1:
            raise click.BadParameter(f"{value!r}: write SLICE=SHARE, such as domain=tweets=0.1")
    return found


@click.command()
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), help="A pilot to take the figures from.")
@click.option("--student", help="Of the pilot [the policy's, or the only one].")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="With a pilot, for rules on baseline_difference.",
)
@click.option("--teacher-score", type=SHARE, help="Without a pilot: the teacher's mean score.")
@click.option(
    "--retention",
    type=click.FloatRange(0, 2, min_open=True),
    help="Without a pilot: what the student keeps of that.",
)
@click.option(
    "--disagreement",
    type=click.FloatRange(0, 1),
    help="Share of samples on which one of the two is right.  [default: the worst case]",
)
@click.option(
    "--sd",
    type=click.FloatRange(0, min_open=True),
    help="For scores that are not right or wrong: standard deviation of student minus teacher.",
)
@click.option("--cluster-size", type=click.FloatRange(1), default=1.0, help="Samples a cluster.")
@click.option(
    "--icc", type=click.FloatRange(0, 1), default=0.0, help="Correlation within a cluster."
)
@click.option(
    "--share", "shares", multiple=True, callback=_shares, metavar="SLICE=SHARE",
    help="What part of the suite a slice is; may be given again.",
)  # fmt: skip
@click.option("--power", type=SHARE, default=0.8, show_default=True, help="To pass each rule.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write it here.")
def plan(
    policy: Path,
    run: Path | None,
    student: str | None,
    baseline: Path | None,
    teacher_score: float | None,
    retention: float | None,
    disagreement: float | None,
    sd: float | None,
    cluster_size: float,
    icc: float,
    shares: dict[str, float],
    power: float,
    json_file: Path | None,
) -> None:
    """Say how many samples POLICY needs, before anyone pays for them.

    From a pilot (--run), or from what is assumed (--teacher-score and --retention).
    """
    from kdeval.workflows.plan import make_plan, show_plan

    made = make_plan(
        policy,
        run=run,
        student=student,
        baseline=baseline,
        assumed={
            "teacher_score": teacher_score,
            "retention": retention,
            "disagreement": disagreement,
            "sd": sd,
            "cluster_size": cluster_size if cluster_size > 1 else None,
            "icc": icc or None,
            "shares": shares or None,
        },
        power=power,
        json_file=json_file,
    )
    show_plan(made)
    if json_file is not None:
        click.echo(f"wrote {json_file}")
