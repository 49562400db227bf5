"""Which files of a directory hold the weights, and how many: without reading them in."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import safetensors

__all__ = ["read_weights", "stored_parameters"]

_NAMES = ("model.safetensors", "pytorch_model.bin")
_SUFFIXES = (".safetensors", ".bin", ".h5")
_NO_WEIGHTS = ("optimizer", "scheduler", "training_args", "rng_state")


def read_weights(folder: Path) -> list[Path]:
    """The files that transformers reads the weights of a model in `folder` from.

    Many directories hold the same weights in other formats beside them, or as one file beside its
    parts. Where no file has a name that transformers looks for, all that may hold weights.
    """
    for name in _NAMES:
        if (folder / name).is_file():
            return [folder / name]
        if (index := folder / f"{name}.index.json").is_file():
            return _parts(index)
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in _SUFFIXES and not file.name.startswith(_NO_WEIGHTS)
    )


def _parts(index: Path) -> list[Path]:
    """The files that an index names, of those that are there; whoever loads it says what is not."""
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        return []
    return sorted(file for name in named if (file := index.parent / name).is_file())


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
