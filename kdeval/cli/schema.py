"""`kdeval schema`."""

from __future__ import annotations

import json

import click

NAMES = ("config", "suite", "policy", "report", "gate", "baseline", "router")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
def schema(name: str) -> None:
    """Print the JSON Schema of a file that kdeval reads or writes."""
    from kdeval.report.schema import json_schema

    click.echo(json.dumps(json_schema(name), indent=2))
