"""The run header: where an artefact comes from."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from kdeval import __version__
from kdeval.records import RunHeader
from kdeval.run.secrets import REMOVED, is_secret_name, redacted

__all__ = ["build_header"]

_PACKAGES = (
    "kdeval-router", "numpy", "pandas", "scikit-learn", "scipy", "torch", "transformers",
    "tokenizers", "lm-eval", "litellm", "ray",
)  # fmt: skip


def build_header(*, seed: int, models: Mapping[str, str], suites: Mapping[str, str]) -> RunHeader:
    """The header of an artefact that is made now, here."""
    return RunHeader(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kdeval=__version__,
        versions=_versions(),
        git_revision=_git_revision(),
        seed=seed,
        models=dict(models),
        suites=dict(suites),
        hardware=_hardware(),
        command=_command(sys.argv),
    )


def _command(argv: list[str]) -> str:
    words: list[str] = []
    for word in ["kdeval", *argv[1:]]:
        before, sign, _ = word.partition("=")
        after_name = bool(words) and words[-1].startswith("-") and "=" not in words[-1]
        if after_name and is_secret_name(words[-1]):
            words.append(REMOVED)
        elif sign and is_secret_name(before):
            words.append(before + sign + REMOVED)
        else:
            words.append(redacted(word))
    return shlex.join(words)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _git_revision() -> str | None:
    revision = _git("rev-parse", "HEAD")
    if not revision:
        return None
    return revision + ("+dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _hardware() -> dict[str, str]:
    found = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name(0)
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as handle:
            for line in handle:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
