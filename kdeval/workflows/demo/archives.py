"""Named members out of an archive; nothing else in it is ever written anywhere."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kdeval.errors import DownloadError

__all__ = ["read_members"]


def read_members(archive: Path, members: Mapping[str, tuple[str, ...]]) -> dict[str, bytes]:
    """The bytes of each wanted member, by the caller's name for it.

    Names inside the archive are only compared, never used as paths, so that no archive can
    write outside the place that the caller chooses.

    Args:
        archive: a zip (wheel) or a compressed tar file.
        members: the caller's name to the member's path; further steps of the path lead into an
            archive within the archive.

    Raises:
        DownloadError: the archive cannot be read or lacks a member.
    """
    try:
        content = archive.read_bytes()
        return {name: _read(content, path) for name, path in members.items()}
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, KeyError) as error:
        raise DownloadError(
            f"{archive.name} is not the archive that was expected: {error}; delete it and run "
            "the command again"
        ) from error


def _read(content: bytes, path: tuple[str, ...]) -> bytes:
    member, *deeper = path
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as outer:
            found = outer.read(member)
    else:
        found = _read_tar(content, member)
    return _read(found, tuple(deeper)) if deeper else found


def _read_tar(content: bytes, member: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as outer:
        handle = outer.extractfile(member)
        if handle is None:
            raise KeyError(f"{member!r} is no regular file")
        return handle.read()
