"""Options of `kdeval report`, and what `kdeval run` says of a directory with another run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def finished(recorded_project: Path, kdeval: Kdeval) -> Path:
    """A project with a finished run and a policy against a baseline."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    (recorded_project / "next.yaml").write_text(
        "rules:\n  - {metric: baseline_difference, min: -0.05}\n"
    )
    return recorded_project


def test_a_report_judges_against_a_baseline(finished: Path, kdeval: Kdeval) -> None:
    """As the gate does: the same verdict on the same rule, from a run or from a file."""
    kdeval("report", "run", "--format", "baseline", "--out", "base")
    gated = kdeval("gate", "run", "--policy", "next.yaml", "--baseline", "base/baseline.json")
    assert gated.returncode == 0, gated.stderr
    decided = json.loads((finished / "run" / "gate" / "gate.json").read_text())
    for baseline in ("base/baseline.json", "run"):
        done = kdeval("report", "run", "--format", "json", "--policy", "next.yaml",
                      "--baseline", baseline, "--out", "out")  # fmt: skip
        assert done.returncode == 0, done.stderr
        (decision,) = json.loads((finished / "out" / "report.json").read_text())["decisions"]
        assert decision["verdict"] == "pass"
        assert decision["baseline"] == decided["baseline"] == "kdeval: small"
        assert decision["rules"][0]["evidence"] == decided["rules"][0]["evidence"]


def test_a_baseline_that_cannot_be(finished: Path, kdeval: Kdeval) -> None:
    """Without a policy, of another student, of nothing, or missing where a rule needs it."""
    cases: dict[tuple[str, ...], str] = {
        ("--baseline", "run"): "--baseline goes with --policy",
        ("--policy", "next.yaml", "--baseline-student", "small"):
            "--baseline-student goes with --baseline",
        ("--policy", "next.yaml", "--baseline", "run", "--baseline-student", "smal"):
            "did you mean 'small'?",
        ("--policy", "next.yaml", "--baseline", "gone.json"): "no such baseline file",
        ("--policy", "next.yaml"): "baseline",
    }  # fmt: skip
    for options, words in cases.items():
        done = kdeval("report", "run", "--format", "json", *options)
        assert done.returncode == 2, options
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unused_baseline_is_said(finished: Path, kdeval: Kdeval) -> None:
    """A policy without such a rule leaves it aside, in words."""
    done = kdeval("report", "run", "--format", "json", "--policy", "gate.yaml", "--baseline", "run")
    assert done.returncode == 0, done.stderr
    assert "The baseline was not used" in done.stdout


def test_another_run_in_the_directory_is_told_first(finished: Path, kdeval: Kdeval) -> None:
    """One line before anything is asked: what it holds, what goes, and the way to keep both."""
    text = (finished / "kdeval.yaml").read_text()
    (finished / "other.yaml").write_text(
        text.replace("name: small", "name: tiny").replace("name: big", "name: huge")
    )
    done = kdeval("run", "other.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: run holds another run (kdeval, this is other; its teacher is big, not huge; with "
        "the student small): its scored pairs are replaced, its answers are kept; give another "
        "--out to keep both"
    ]
    assert kdeval("run", "other.yaml", "--out", "run").stderr.count("warning") == 0


def test_a_run_that_grows_is_no_other_run(finished: Path, kdeval: Kdeval) -> None:
    """The same configuration with one more student goes on, and nothing is lost."""
    text = (finished / "kdeval.yaml").read_text()
    added = text[text.index("  - name: small") :].replace("name: small", "name: second")
    (finished / "kdeval.yaml").write_text(text + added)
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
