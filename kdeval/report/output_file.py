"""Writing a file whole or not at all, and one line where that cannot be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdeval.errors import UsageError

__all__ = ["write_whole", "writing"]


@contextmanager
def writing(path: Path, option: str = "--out") -> Iterator[None]:
    """A file system that refuses to write `path` becomes a UsageError; no partial file is left.

    Args:
        path: what is written inside.
        option: what the user changes to write elsewhere.

    Raises:
        UsageError: instead of any OSError inside.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            path.with_name(path.name + ".partial").unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {path}: {reason}; give another {option}") from error


def write_whole(path: Path, text: str, option: str = "--out") -> None:
    """`text` as UTF-8 in `path`, its directory made; see `writing`."""
    partial = path.with_name(path.name + ".partial")
    with writing(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
