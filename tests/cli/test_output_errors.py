"""What cannot be written, or not in this encoding, is one line and never called a bug."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def finished(recorded_project: Path, kdeval: Kdeval) -> Path:
    """The directory of a finished run."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    return recorded_project / "run"


def _is_one_line(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: cannot write "), line
    for words in expected:
        assert words in line


def test_a_verdict_out_of_date_is_removed(finished: Path, kdeval: Kdeval) -> None:
    """After an input error nobody finds the pass of an earlier time; other files stay."""
    gate = finished / "gate"
    assert kdeval("gate", "run", "--policy", "gate.yaml").returncode == 0
    (gate / "notes.txt").write_text("keep")
    (finished.parent / "gate.yaml").write_text("rules:\n  - {metric: difference, min: -1}\n")
    done = kdeval("gate", "run", "--policy", "gate.yaml")
    assert done.returncode == 2
    assert "write -0.01 for 1 point, not -1" in done.stderr
    assert [path.name for path in gate.iterdir()] == ["notes.txt"]


def test_files_that_cannot_be_written(finished: Path, kdeval: Kdeval) -> None:
    """A directory where a file should be, a file where a directory should be.

    What was found is shown all the same.
    """
    (finished / "report" / "report.html").mkdir(parents=True)
    report = kdeval("report", "run")
    _is_one_line(report, "report.html", "Is a directory", "--out")
    assert "retention" in report.stdout
    assert [path.name for path in (finished / "report").iterdir()] == ["report.html"]
    (finished / "gate" / "gate.json").mkdir(parents=True)
    gate = kdeval("gate", "run", "--policy", "gate.yaml")
    _is_one_line(gate, "gate.json", "--out")
    assert ": pass (" in gate.stdout
    _is_one_line(kdeval("route", "fit", "run", "-o", "gate.yaml"), "gate.yaml", "--out")
    _is_one_line(kdeval("route", "fit", "run", "-o", "/proc/router"), "/proc/router", "--out")
    for told in (False, True):
        done = kdeval("route", "fit", "run", "-o", "router")
        assert done.returncode == 0
        assert ("router.safetensors (replaced both)" in done.stdout) == told
    _is_one_line(kdeval("route", "eval", "router", "run", "--json", "router"), "--json")


def test_an_export_that_cannot_be_written(finished: Path, kdeval: Kdeval) -> None:
    """Nor is a part of it left; over a file that was there it says so."""
    _is_one_line(kdeval("export", "run", "--out", "/proc/x.jsonl"), "/proc/x.jsonl", "--out")
    _is_one_line(kdeval("export", "run", "--out", "gate.yaml/x.jsonl"), "x.jsonl", "--out")
    for told in (False, True):
        done = kdeval("export", "run", "--out", "x.jsonl")
        assert done.returncode == 0, done.stderr
        assert ("wrote x.jsonl (replaced): " in done.stdout) == told


def test_a_file_for_a_run_is_no_output_error(finished: Path, kdeval: Kdeval) -> None:
    """Looking for an earlier verdict does not get in the way of the better message."""
    done = kdeval("gate", "gate.yaml", "--policy", "gate.yaml")
    assert done.returncode == 2
    assert "gate.yaml is not a directory" in done.stderr


def test_an_unused_baseline_is_said_to_be(finished: Path, kdeval: Kdeval) -> None:
    """It is not named beside the verdict."""
    done = kdeval("gate", "run", "--policy", "gate.yaml", "--baseline", "run")
    assert done.returncode == 0
    assert "The baseline was not used" in done.stdout
    assert "and the baseline" not in done.stdout


def test_a_terminal_without_the_characters(finished: Path, kdeval: Kdeval) -> None:
    """In ASCII a dash becomes a question mark."""
    done = kdeval("report", "run", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert (finished / "report" / "report.html").exists()
