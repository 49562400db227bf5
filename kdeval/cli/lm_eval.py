"""`kdeval lm-eval`."""

from __future__ import annotations

import click


@click.command(
    "lm-eval",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lm_eval(arguments: tuple[str, ...]) -> None:
    """Run lm-eval's own command line, which then knows --model kdeval.

    --model_args path=<directory or .gguf file> or config=<kdeval.yaml>,model=<name>; every other
    argument is lm-eval's.
    """
    from kdeval.workflows.lm_eval_command import run_lm_eval

    run_lm_eval(arguments)
