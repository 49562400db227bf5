"""`kdeval export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--model", help="Whose answers.  [default: the teacher's]")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file, .jsonl or .jsonl.gz.",
)
@click.option(
    "--no-text",
    is_flag=True,
    help="Leave out what models wrote; labels and choices stay, scores stand for the rest.",
)
def export(run: Path, model: str | None, out: Path, no_text: bool) -> None:
    """Write a model's answers of RUN to a file: a recorded teacher to commit and replay in CI.

    A comparison with the recorded model gives the same figures as with the model itself. No input
    is in the file; it tells where its answers are from, and a sample that changes afterwards is
    not answered by it.
    """
    from kdeval.workflows.export import export_answers

    before = out.exists()
    done = export_answers(run, out, model=model, text=not no_text)
    for name, reason in done.left_out.items():
        click.echo(f"left out: {name}: {reason}")
    said = f"{done.answers:,} answers"
    if done.failed:
        said += f", {done.failed:,} of them recorded errors"
    if done.without_text:
        said += f", {done.without_text:,} with scores in place of text"
    replaced = " (replaced)" if before else ""
    click.echo(f"wrote {done.file}{replaced}: {said}; in a configuration beside it:")
    click.echo(done.snippet)
