"""`--cache` of the commands that ask models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kdeval.config.schema import RunConfig

__all__ = ["cache_option", "with_cache"]

cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    envvar="KDEVAL_CACHE",
    show_envvar=True,
    help="Directory of answers that runs share [the configuration's, or none].",
)


def with_cache(config: RunConfig, cache: Path | None) -> RunConfig:
    """The configuration with that cache instead of its own; None: as it is."""
    return config if cache is None else config.model_copy(update={"cache": str(cache)})
