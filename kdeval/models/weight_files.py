"""Counting weights by the headers of their files, without reading them in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import safetensors

__all__ = ["stored_parameters"]


def stored_parameters(files: Sequence[Path]) -> int | None:
    """Number of weights in `files`; None where a file is of another format than safetensors.

    Weights that a model uses in two places are stored, and counted, once.

    Raises:
        OSError: a file cannot be read.
    """
    if not files or any(file.suffix != ".safetensors" for file in files):
        return None
    count = 0
    for file in files:
        with safetensors.safe_open(file, framework="pt") as tensors:
            count += sum(
                math.prod(tensors.get_slice(name).get_shape()) for name in [*tensors.keys()]
            )
    return count
