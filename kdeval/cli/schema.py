"""`kdeval schema`."""

from __future__ import annotations

import json
from typing import cast

import click

NAMES = ("config", "suite", "policy", "report", "gate", "baseline", "noise-floor", "plan", "router")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
def schema(name: str) -> None:
    """Print the JSON Schema of a file that kdeval reads or writes."""
    from kdeval.report.schema import SchemaName, json_schema

    click.echo(json.dumps(json_schema(cast("SchemaName", name)), indent=2))
