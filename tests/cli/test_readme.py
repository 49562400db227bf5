"""The README's blocks, in order, in an empty directory."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_runs(
    tmp_path: Path, kdeval: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Files are written, commands exit with 0, Python runs; only make's two commands are not."""
    ran = 0
    for language, file, body in _BLOCK.findall(README.read_text(encoding="utf-8")):
        if file:
            (tmp_path / file).write_text(body)
        elif language == "console":
            for line in body.splitlines():
                words = shlex.split(line, comments=True)
                assert words[:2] == ["$", "kdeval"], line
                done = kdeval(*words[2:])
                assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
                ran += 1
        elif language == "python":
            done = subprocess.run(
                [sys.executable, "-c", body], cwd=tmp_path, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            ran += 1
        else:
            assert language == "sh"
            assert all(line.startswith("make ") for line in body.splitlines())
    assert ran >= 12


def test_schema_without_a_name_lists_the_names(
    kdeval: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Each of which it takes."""
    done = kdeval("schema")
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert {"config", "gate", "router"} <= set(names)
    assert all(kdeval("schema", name).returncode == 0 for name in names)


@pytest.mark.parametrize(
    "command",
    [
        "plan",
        "run",
        "aa",
        "report",
        "gate",
        "route",
        "demo",
        "schema",
        "lm-eval",
        "cache",
        "export",
    ],
)
def test_every_command_explains_itself(
    kdeval: Callable[..., subprocess.CompletedProcess[str]], command: str
) -> None:
    """--help of each subcommand, listed by the command itself."""
    assert command in kdeval("--help").stdout
    assert kdeval(command, "--help").returncode == 0
