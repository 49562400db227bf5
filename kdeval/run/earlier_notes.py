"""What models said of answers that a rerun does not compute again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kdeval.errors import RunError
from kdeval.run.asked import Asked
from kdeval.store.run_directory import ModelEntry, RunDirectory, RunManifest

__all__ = ["notes_of_run", "with_earlier_notes"]


def notes_of_run(out: Path) -> dict[str, tuple[str, ...]]:
    """Fingerprint of each model of the run in `out` to its notes; empty where there is no run."""
    try:
        models = RunDirectory.open(out).manifest.models
    except RunError:
        return {}
    return {entry.fingerprint: entry.notes for entry in models}


def with_earlier_notes(
    manifest: RunManifest, asked: Asked, earlier: Mapping[str, tuple[str, ...]]
) -> RunManifest:
    """The manifest with the `earlier` notes of models whose earlier answers are in it.

    A model that was asked nothing was not loaded, and has no notes of its own.
    """

    def noted(entry: ModelEntry) -> ModelEntry:
        before = earlier.get(entry.fingerprint, ()) if asked.cached.get(entry.name) else ()
        return replace(entry, notes=tuple(dict.fromkeys((*before, *entry.notes))))

    return replace(
        manifest, teacher=noted(manifest.teacher), students=tuple(map(noted, manifest.students))
    )
