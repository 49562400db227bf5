"""What the runtime raises: only when an artefact is loaded, never when a request is decided."""

from __future__ import annotations

__all__ = ["RouterArtefactError"]


class RouterArtefactError(Exception):
    """A router artefact is missing, tampered with, mismatched or of another schema version.

    The message is one line: which file, what is wrong with it, and how to mend it.
    """
