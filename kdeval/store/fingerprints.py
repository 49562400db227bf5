"""Digests that say whether two things are the same: files, values, directories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["files_digest", "value_digest"]


def value_digest(value: Any) -> str:
    """64 hexadecimal digits: SHA-256 of the value's canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def files_digest(files: Iterable[Path], root: Path) -> str:
    """64 hexadecimal digits: SHA-256 over the names (relative to `root`) and bytes of `files`."""
    digest = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
