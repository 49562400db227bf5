"""The run header: where an artefact comes from."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kdeval import __version__
from kdeval.records import RunHeader

__all__ = ["build_header", "without_secrets"]

_PACKAGES = (
    "kdeval-router", "numpy", "pandas", "scikit-learn", "scipy", "torch", "transformers",
    "tokenizers", "lm-eval", "litellm", "ray",
)  # fmt: skip
_SECRET_NAME = re.compile(
    r"key|token(?!s|izer|_)|secret|passw|credential|authorization|cookie|bearer", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|pk|rk|hf|ghp|gho|xox[abp]|glpat|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=[Bb]earer )\S+"
)
_REMOVED = "(removed)"


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


def without_secrets(value: Any, name: str = "") -> Any:
    """The same structure with what looks like a secret, by its name or by its form, removed."""
    if isinstance(value, Mapping):
        return {key: without_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, name) for item in value]
    if isinstance(value, str):
        if _SECRET_NAME.search(name):
            return _REMOVED
        return _SECRET_VALUE.sub(_REMOVED, value)
    return value


def _command(argv: list[str]) -> str:
    words: list[str] = []
    for word in ["kdeval", *argv[1:]]:
        before, sign, _ = word.partition("=")
        hidden = bool(words) and words[-1].startswith("-") and _SECRET_NAME.search(words[-1])
        if hidden and "=" not in words[-1]:
            words.append(_REMOVED)
        elif sign and _SECRET_NAME.search(before):
            words.append(before + sign + _REMOVED)
        else:
            words.append(_SECRET_VALUE.sub(_REMOVED, word))
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
