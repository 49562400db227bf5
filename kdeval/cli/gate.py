"""`kdeval gate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="gate.yaml")
@click.option("--student", help="Whom to judge [the policy's, or the only one].")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="A run, or what `kdeval report --format baseline` wrote, to lose nothing against.",
)
@click.option("--baseline-student", help="Which student of the baseline [the judged one's name].")
@click.option("--out", type=click.Path(path_type=Path), help="For gate.json, gate.xml [RUN/gate].")
@click.pass_context
def gate(
    context: click.Context,
    run: Path,
    policy: Path,
    student: str | None,
    baseline: Path | None,
    baseline_student: str | None,
    out: Path | None,
) -> None:
    """Judge one student of RUN by a policy: exit code 0 pass, 1 fail, 3 inconclusive.

    Also written: gate.json, and gate.xml (JUnit); $GITHUB_STEP_SUMMARY is appended to when set.
    """
    from kdeval.workflows.reporting import Judgement, judge_run

    judgement = judge_run(
        run,
        policy=policy,
        student=student,
        baseline=baseline,
        baseline_student=baseline_student,
        out=out or run / "gate",
        tell=Judgement.show,
    )
    context.exit(judgement.exit_code)
