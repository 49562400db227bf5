"""`kdeval report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

FORMATS = ("html", "md", "json", "baseline")


def _formats(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise click.BadParameter(f"{value!r}: give one or more of {', '.join(FORMATS)}")
    return names


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    default="html,md,json",
    show_default=True,
    callback=_formats,
    help="Comma-separated: html, md, json, baseline (ids and scores, for `gate --baseline`).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Directory to write [RUN/report].")
@click.option("--policy", type=click.Path(path_type=Path), help="Judge every student by it, too.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="The previous student's run, or a baseline file: what flips, and for --policy.",
)
@click.option("--baseline-student", help="Which student of the baseline [the same name].")
@click.option("--router", type=click.Path(path_type=Path), help="Evaluate this router on RUN, too.")
@click.option(
    "--noise-floor",
    type=click.Path(path_type=Path),
    help="What `kdeval aa` wrote: a file or its directory.  [default: RUN/noise_floor, if any]",
)
@click.option("--no-text", is_flag=True, help="Leave out inputs, references, outputs, messages.")
@click.option("--full", is_flag=True, help="Print every slice and figure, not the summary alone.")
@click.option("--open", "open_it", is_flag=True, help="Open the HTML report in the browser.")
def report(
    run: Path,
    formats: tuple[str, ...],
    out: Path | None,
    policy: Path | None,
    baseline: Path | None,
    baseline_student: str | None,
    router: Path | None,
    noise_floor: Path | None,
    no_text: bool,
    full: bool,
    open_it: bool,
) -> None:
    """Compare every student of RUN with its teacher: on the terminal and in files."""
    from kdeval.workflows.reporting import ReportInputs, write_report

    if open_it and "html" not in formats:
        formats = ("html", *formats)
    written = write_report(
        run,
        out=out or run / "report",
        formats=formats,
        inputs=ReportInputs(
            policy=policy,
            baseline=baseline,
            baseline_student=baseline_student,
            router=router,
            noise_floor=noise_floor,
        ),
        include_text=not no_text,
        tell=lambda found: found.show(full=full),
    )
    for file in written.files:
        click.echo(f"wrote {file}")
        if open_it and file.suffix == ".html" and not webbrowser.open(file.resolve().as_uri()):
            click.echo(f"no browser could be started: open {file} in one", err=True)
