"""`kdeval schema`."""

from __future__ import annotations

import json
from typing import cast

import click

NAMES = ("config", "suite", "policy", "report", "gate", "baseline", "noise-floor", "plan", "router")


@click.command()
@click.argument("name", type=click.Choice(NAMES), required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema of a file that kdeval reads or writes.

    Without a name: the names there are.
    """
    if name is None:
        click.echo("\n".join(NAMES))
        return
    from kdeval.report.schema import SchemaName, json_schema

    click.echo(json.dumps(json_schema(cast("SchemaName", name)), indent=2))
