"""A directory that `save_pretrained` wrote: which of its files are the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from kdeval.errors import ModelError
from kdeval.models.weight_files import read_weights, stored_parameters
from kdeval.store.fingerprints import files_digest

__all__ = ["ModelDirectory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDirectory:
    """The files of a model.

    Attributes:
        path: the directory.
        settings: suffixes of the files beside the weights that its answers hang on.
    """

    path: Path
    settings: tuple[str, ...]

    @classmethod
    def checked(
        cls,
        path: str,
        *,
        name: str,
        needs: Sequence[str],
        settings: tuple[str, ...],
        give: str = "a directory that save_pretrained() wrote",
    ) -> ModelDirectory:
        """The directory, if every file that it needs is there.

        Raises:
            ModelError: one is missing; it says what to `give`.
        """
        for file in needs:
            if not (Path(path) / file).is_file():
                raise ModelError(f"{name}: {path} has no {file}: give {give}")
        return cls(path=Path(path), settings=settings)

    @property
    def files(self) -> list[Path]:
        """Weights and settings."""
        settings = [file for file in self.path.iterdir() if file.suffix in self.settings]
        return [*self.weights, *settings]

    @property
    def weights(self) -> list[Path]:
        """The files that weights are read from."""
        return read_weights(self.path)

    @property
    def digest(self) -> str:
        """Of all files."""
        return files_digest(self.files, self.path)

    @property
    def bytes_on_disk(self) -> int:
        """Of the weights."""
        return sum(file.stat().st_size for file in self.weights)

    @property
    def parameters(self) -> int | None:
        """Number of weights by the files' headers; None where they have none."""
        return stored_parameters(self.weights)

    def stored_dtype(self) -> Any:
        """The dtype that the checkpoint's configuration names."""
        return transformers.AutoConfig.from_pretrained(self.path).dtype
