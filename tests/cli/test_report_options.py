"""Options of `kdeval report`, and what `kdeval run` says of a directory with another run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
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
    """As the gate does: the same verdict on the same rule, from a run, a file or its directory."""
    kdeval("report", "run", "--format", "baseline", "--out", "base")
    gated = kdeval("gate", "run", "--policy", "next.yaml", "--baseline", "base/baseline.json")
    assert gated.returncode == 0, gated.stderr
    decided = json.loads((finished / "run" / "gate" / "gate.json").read_text())
    for baseline in ("base", "run"):
        done = kdeval("report", "run", "--format", "json", "--policy", "next.yaml",
                      "--baseline", baseline, "--out", "out")  # fmt: skip
        assert done.returncode == 0, done.stderr
        (decision,) = json.loads((finished / "out" / "report.json").read_text())["decisions"]
        assert decision["verdict"] == "pass"
        assert decision["baseline"] == decided["baseline"] == "kdeval: small"
        assert decision["rules"][0]["evidence"] == decided["rules"][0]["evidence"]


def test_a_baseline_that_cannot_be(finished: Path, kdeval: Kdeval) -> None:
    """Of another student, of nothing, of other samples, or missing where a rule needs it."""
    other = json.loads(_baseline_of(finished, kdeval).read_text())
    for scores in _scores(other["suites"]):
        scores["ids"] = [f"other-{name}" for name in scores["ids"]]
    (finished / "other.json").write_text(json.dumps(other))
    cases: dict[tuple[str, ...], str] = {
        ("--baseline", "other.json"): "it was made from other samples",
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


def _baseline_of(project: Path, kdeval: Kdeval) -> Path:
    assert kdeval("report", "run", "--format", "baseline", "--out", "base").returncode == 0
    return project / "base" / "baseline.json"


def _scores(suites: dict[str, dict[str, dict[str, dict[str, list[object]]]]]
            ) -> Iterator[dict[str, list[object]]]:  # fmt: skip
    for metrics in suites.values():
        for students in metrics.values():
            yield from students.values()


def test_a_baseline_tells_what_flips(finished: Path, kdeval: Kdeval) -> None:
    """With or without a policy; samples that flip are shown, with text only where it may be."""
    former = json.loads(_baseline_of(finished, kdeval).read_text())
    scores = next(_scores(former["suites"]))
    wrong = scores["scores"].index(0.0)
    right = [place for place, score in enumerate(scores["scores"]) if score == 1.0]
    scores["scores"] = [1.0] * len(scores["scores"])
    scores["scores"][right[0]] = 0.0
    (finished / "former.json").write_text(json.dumps(former))
    asked = ("report", "run", "--format", "json,html,md", "--baseline", "former.json")
    for more in ((), ("--policy", "gate.yaml", "--no-text")):
        done = kdeval(*asked, "--out", "out", *more)
        assert done.returncode == 0, done.stderr
        assert "right before are wrong now" in done.stdout
        report = json.loads((finished / "out" / "report.json").read_text())
        (previous,) = report["previous"]
        (whole,) = (cell for cell in previous["cells"] if cell["slice"] == "all")
        assert whole["table"]["lost"] == len(scores["scores"]) - len(right)
        assert whole["table"]["gained"] == 1
        broken = {item["sample_id"]: item for item in previous["broken"]}
        assert (broken[scores["ids"][wrong]]["input"] is None) == bool(more)
        assert 'id="previous"' in (finished / "out" / "report.html").read_text()


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
