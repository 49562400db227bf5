"""`kdeval cache ls | prune | verify`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
EXIT_DAMAGED = 1


def _days(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Such as 12h, 30d or 6w, in days."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r}: write such as 12h, 30d or 6w")
    return float(found[1]) * _DAYS[found[2]]


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Such as 5GB or 200 MB, in bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Z]*)", value.strip().upper())
    if found is None or found[2] not in _BYTES:
        raise click.BadParameter(f"{value!r}: write such as 5GB or 200MB")
    return int(float(found[1]) * _BYTES[found[2]])


_directory = click.argument(
    "directory", type=click.Path(path_type=Path), envvar="KDEVAL_CACHE", metavar="DIRECTORY"
)


@click.group()
def cache() -> None:
    """Look into a cache of answers that runs share, and keep it small and sound.

    DIRECTORY is what `--cache` of `kdeval run` names; it may be left out where KDEVAL_CACHE is set.
    """


@cache.command("ls")
@_directory
def list_models(directory: Path) -> None:
    """List the models whose answers the cache holds: how many, how large, what they cost."""
    from kdeval.workflows.cache import listed

    for line in listed(directory):
        click.echo(line)


@cache.command()
@_directory
@click.option(
    "--older-than", callback=_days, metavar="AGE", help="Only answers given before, such as 30d."
)
@click.option(
    "--unused-for", callback=_days, metavar="AGE", help="Only answers that no run took since."
)
@click.option("--model", help="Only of this model: its name, or how its fingerprint begins.")
@click.option(
    "--keep",
    callback=_bytes,
    metavar="SIZE",
    help="Of the rest keep so much, such as 5GB: the least recently used go.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def prune(
    directory: Path,
    older_than: float | None,
    unused_for: float | None,
    model: str | None,
    keep: int | None,
    dry_run: bool,
) -> None:
    """Remove answers; runs may use the cache meanwhile."""
    from kdeval.errors import UsageError
    from kdeval.store.cache.contents import Prune, days_ago
    from kdeval.workflows.cache import pruned

    if all(value is None for value in (older_than, unused_for, model, keep)):
        raise UsageError("say what goes: --older-than, --unused-for, --model or --keep")
    what = Prune(
        added_before=None if older_than is None else days_ago(older_than),
        used_before=None if unused_for is None else days_ago(unused_for),
        model=model,
        keep_bytes=keep,
    )
    for line in pruned(directory, what, dry_run=dry_run):
        click.echo(line)


@cache.command()
@_directory
@click.option("--repair", is_flag=True, help="Remove what is damaged, and save the rest.")
@click.pass_context
def verify(context: click.Context, directory: Path, repair: bool) -> None:
    """Check every answer against its checksum: exit code 1 while some are damaged.

    What is damaged is never served: the model is asked again, and its answer takes the place.
    """
    from kdeval.workflows.cache import verified

    found = verified(directory, repair=repair)
    for line in found.lines:
        click.echo(line)
    if found.damage_left:
        if not repair:
            click.echo(f"next: kdeval cache verify {shlex.quote(str(directory))} --repair")
        context.exit(EXIT_DAMAGED)
