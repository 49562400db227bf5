"""Bad input ends with exit code 2 and a line that says where, what, and how to mend it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        file = directory / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return edit


def _empty(directory: Path) -> None:
    (directory / "predictions.csv").write_text("id,text,label,part,big,small\n")


def _malformed(directory: Path) -> None:
    lines = [json.dumps({"id": "a", "text": "x", "label": "yes", "part": "p"}), '{"id": "b", ']
    (directory / "data.jsonl").write_text("\n".join(lines) + "\n")
    _edit("suite.yaml", "data: predictions.csv", "data: data.jsonl")(directory)


RUN_CASES = {
    "unknown key": (_edit("kdeval.yaml", "students:", "studnets:"),
                    ["kdeval.yaml:7:", "'studnets'", "did you mean 'students'?"]),
    "missing configuration": (lambda directory: (directory / "kdeval.yaml").unlink(),
                              ["kdeval.yaml: no such file"]),
    "missing suite": (_edit("kdeval.yaml", "[suite.yaml]", "[gone.yaml]"), ["'gone.yaml'"]),
    "missing data": (_edit("suite.yaml", "data: predictions.csv", "data: gone.csv"), ["gone.csv"]),
    "malformed line": (_malformed, ["data.jsonl:2:"]),
    "template variable": (_edit("suite.yaml", "{{ text }}", "{{ txet }}"),
                          ["predictions.csv:2:", "'txet'", "'text'"]),
    "no reference matches": (_edit("suite.yaml", '["yes", "no"]', "[ja, nein]"),
                             ["labels", "'yes'", "'ja'"]),
    "duplicate ids": (_edit("predictions.csv", "q7,", "q5,"), ["predictions.csv:9:", "'q5'", "7"]),
    "empty suite": (_empty, ["predictions.csv", "empty"]),
    "unmapped column": (_edit("kdeval.yaml", "output: big", "output: bgi"), ["'bgi'", "'big'"]),
    "unknown module": (_edit("kdeval.yaml", "type: recorded", "type: 'nowhere:Model'"), []),
}  # fmt: skip


@pytest.mark.parametrize("case", RUN_CASES)
def test_a_run_that_cannot_be(recorded_project: Path, kdeval: Kdeval, case: str) -> None:
    """One line an error, no traceback, exit code 2, and nothing that looks like a run."""
    damage, expected = RUN_CASES[case]
    damage(recorded_project)
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    _is_clear(done, expected)
    assert not (recorded_project / "run" / "run.json").exists()


def _is_clear(done: subprocess.CompletedProcess[str], expected: list[str]) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert all(line.startswith(("error: ", "Error: ", "Usage: ", "Try ")) for line in lines), lines
    for words in expected:
        assert words in done.stderr


@pytest.fixture
def finished(recorded_project: Path, kdeval: Kdeval) -> Path:
    """The directory of a finished run."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    return recorded_project / "run"


def test_a_run_of_another_schema_version(finished: Path, kdeval: Kdeval) -> None:
    """It is not guessed at, by any command that reads runs."""
    _edit("run.json", '"schema_version": 1', '"schema_version": 99')(finished)
    for command in (("report", "run"), ("gate", "run", "--policy", "gate.yaml"),
                    ("route", "fit", "run", "-o", "router")):  # fmt: skip
        _is_clear(kdeval(*command), ["run.json", "99"])


def test_an_unfinished_run_and_no_run(finished: Path, kdeval: Kdeval) -> None:
    """Each has words of its own."""
    (finished / "run.json").unlink()
    _is_clear(kdeval("report", "run"), ["did not finish"])
    _is_clear(kdeval("report", "nowhere"), ["nowhere is not a directory"])
    (finished.parent / "other").mkdir()
    _is_clear(kdeval("report", "other"), ["no run directory"])


def test_a_corrupted_store_and_corrupted_pairs(finished: Path, kdeval: Kdeval) -> None:
    """The file is named; --fresh is the way out, and works."""
    (finished / "predictions.sqlite").write_bytes(b"rubbish" * 1000)
    _is_clear(kdeval("run", "kdeval.yaml", "--out", "run"), ["predictions.sqlite", "--fresh"])
    (finished / "pairs.parquet").write_bytes(b"rubbish")
    _is_clear(kdeval("report", "run"), ["pairs.parquet is corrupted"])
    assert kdeval("run", "kdeval.yaml", "--out", "run", "--fresh").returncode == 0
    assert kdeval("report", "run").returncode == 0


def test_a_directory_of_something_else_is_left_alone(
    recorded_project: Path, kdeval: Kdeval
) -> None:
    """--out never writes into, and --fresh never deletes, what is no run."""
    (recorded_project / "precious").mkdir()
    (recorded_project / "precious" / "thesis.txt").write_text("years of work")
    done = kdeval("run", "kdeval.yaml", "--out", "precious", "--fresh")
    _is_clear(done, ["precious", "thesis.txt"])
    assert (recorded_project / "precious" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("rules:\n  - {metric: retention, mni: 0.9}\n", ["gate.yaml:2:", "'min'?"]),
        ("rules:\n  - {metric: retention, max: 0.9}\n", ["min"]),
        ("rules:\n  - {metric: ece, max: 0.1}\n", ["brier_difference"]),
        ("rules: []\n", ["rules"]),
        ("rules:\n  - {metric: latency_ratio, max: 0.5}\n", ["latency"]),
        ("rules:\n  - {metric: cost_ratio, max: 0.5}\n", ["cost"]),
        ("rules:\n  - {metric: brier_difference, max: 0.5}\n", ["probabilities"]),
        ("rules:\n  - {metric: baseline_difference, min: -0.1}\n", ["--baseline"]),
        ("rules:\n  - {metric: retention, min: 0.9, slice: part=frist}\n", ["'part=first'"]),
        ("rules:\n  - {metric: retention, min: 0.9, suite: question}\n", ["'questions'"]),
        ("student: smal\nrules:\n  - {metric: retention, min: 0.9}\n", ["'small'"]),
    ],
)
def test_a_policy_that_cannot_be_judged(
    finished: Path, kdeval: Kdeval, policy: str, expected: list[str]
) -> None:
    """A rule whose metric is missing is an input error, never a pass."""
    (finished.parent / "gate.yaml").write_text(policy)
    _is_clear(kdeval("gate", "run", "--policy", "gate.yaml"), expected)


@pytest.mark.parametrize(("limit", "code"), [("0.9", 0), ("0.999", 1), ("0.96", 3)])
def test_verdicts_are_exit_codes(finished: Path, kdeval: Kdeval, limit: str, code: int) -> None:
    """0 pass, 1 fail, 3 inconclusive; JSON and JUnit are written each time."""
    (finished.parent / "gate.yaml").write_text(f"rules:\n  - {{metric: retention, min: {limit}}}\n")
    done = kdeval("gate", "run", "--policy", "gate.yaml",
                  GITHUB_STEP_SUMMARY=str(finished / "summary.md"))  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    decision = json.loads((finished / "gate" / "gate.json").read_text())
    assert {"pass": 0, "fail": 1, "inconclusive": 3}[decision["verdict"]] == code
    assert (finished / "gate" / "gate.xml").read_text().startswith("<?xml")
    assert decision["verdict"] in (finished / "summary.md").read_text()


def test_usage_errors(kdeval: Kdeval) -> None:
    """Click's own mistakes exit with 2, too."""
    for arguments in (["rum"], ["run"], ["run", "x", "--limit", "0"], ["report", "x", "--format",
                      "pdf"], ["schema", "nothing"], ["gate", "x"]):  # fmt: skip
        assert kdeval(*arguments).returncode == 2
