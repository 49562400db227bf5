"""Stages whose results are reused while their inputs are the same, and never when half made."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kdeval.errors import UsageError
from kdeval.store.fingerprints import files_digest

__all__ = ["Stages", "directory_digest"]

_STAMPS = ".stages"


class Stages:
    """The stages of one output directory, each a subdirectory made as a whole.

    A stage is built beside its place and moved there when it is finished; only then is its stamp
    written, with the inputs and a digest of what was made. A stamp that does not hold, of other
    inputs or of files that have changed since, makes the stage be done again.
    """

    def __init__(self, out: Path) -> None:
        """Claims `out`, a new or empty directory or one that an earlier call claimed.

        Raises:
            UsageError: it is something else.
        """
        self._out = out
        self._stamps = out / _STAMPS
        try:
            if out.exists() and not self._stamps.is_dir() and any(out.iterdir()):
                raise UsageError(
                    f"{out} is not empty and not an earlier output of this command; name another "
                    "directory with --out"
                )
            self._stamps.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
        for leftover in self._stamps.glob("*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)

    def fresh(self, name: str, inputs: Mapping[str, object]) -> bool:
        """Whether the stage is finished, of the same inputs, and untouched."""
        try:
            stamp = json.loads(self._stamp(name).read_text("utf-8"))
        except (OSError, ValueError):
            return False
        place = self._out / name
        return (
            isinstance(stamp, dict)
            and stamp.get("inputs") == dict(inputs)
            and place.is_dir()
            and stamp.get("made") == directory_digest(place)
        )

    def complete(
        self, name: str, inputs: Mapping[str, object], make: Callable[[Path], None]
    ) -> Path:
        """The stage's directory, made by `make` unless it is fresh.

        Args:
            name: its path below the output directory.
            inputs: all that the result depends on, as JSON values.
            make: fills the empty directory it is given.
        """
        place = self._out / name
        if self.fresh(name, inputs):
            return place
        partial = Path(tempfile.mkdtemp(suffix=".partial", dir=self._stamps))
        try:
            made = partial / "made"
            made.mkdir()
            make(made)
            self._stamp(name).unlink(missing_ok=True)
            if place.exists():
                os.replace(place, partial / "former")
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(made, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._write_stamp(name, {"inputs": dict(inputs), "made": directory_digest(place)})
        return place

    def _stamp(self, name: str) -> Path:
        return self._stamps / f"{name.replace('/', '-')}.json"

    def _write_stamp(self, name: str, content: Mapping[str, object]) -> None:
        stamp = self._stamp(name)
        unfinished = stamp.with_suffix(".tmp")
        unfinished.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        os.replace(unfinished, stamp)


def directory_digest(folder: Path) -> str:
    """Digest of the names and bytes of all files below `folder`."""
    return files_digest([file for file in folder.rglob("*") if file.is_file()], folder)
