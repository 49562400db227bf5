"""`kdeval plan`: useful without data in seconds, and from a pilot run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]

POLICY = """\
rules:
  - {metric: retention, min: 0.95}
  - {metric: retention, slice: "part=first", min: 0.9}
  - {metric: error_share, max: 0.01}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy with a rule on a slice and one on failed requests."""
    (tmp_path / "gate.yaml").write_text(POLICY)
    return tmp_path


def _json(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return found


def test_from_two_numbers(policy: Path, kdeval: Kdeval) -> None:
    """A range over the disagreement, the floors, and what no number is needed for."""
    done = kdeval("plan", "gate.yaml", "--teacher-score", "0.9", "--retention", "0.98",
                  "--json", "plan.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    whole, part, errors = _json(policy)["rules"]
    assert whole["floor"] == 58
    assert 200 < whole["least"] < 400 < whole["needed"] < 2500
    assert whole["expected_with_looks"] < whole["needed"] < whole["most_with_looks"]
    assert part["of_suite"] is None
    assert errors["needed"] == 299
    assert '--share "part=first=0.1"' in " ".join(done.stdout.split())
    assert _json(policy)["all_pass"] is None


def test_narrowed_assumptions(policy: Path, kdeval: Kdeval) -> None:
    """A stated disagreement is no range; a share makes the slice count; clusters cost."""
    plain = (
        *("plan", "gate.yaml", "--teacher-score", "0.9", "--retention", "0.98"),
        *("--disagreement", "0.05", "--share", "part=first=0.25", "--json", "plan.json"),
    )
    assert kdeval(*plain).returncode == 0
    first = _json(policy)
    assert first["rules"][0]["needed"] == 523
    assert first["rules"][1]["of_suite"] == 4 * first["rules"][1]["needed"]
    assert first["spend"][0]["samples"] == max(rule["of_suite"] for rule in first["rules"])
    assert 0.5 < first["all_pass"] <= 0.8
    assert kdeval(*plain, "--cluster-size", "10", "--icc", "0.3").returncode == 0
    assert _json(policy)["rules"][0]["needed"] > 3 * 523
    assert kdeval(*plain, "--power", "0.95").returncode == 0
    assert _json(policy)["rules"][0]["needed"] > 1.5 * 523


def test_from_a_pilot(recorded_project: Path, policy: Path, kdeval: Kdeval) -> None:
    """Figures, shares and the limit that the pilot could show come from the run; so does money."""
    config = (recorded_project / "kdeval.yaml").read_text()
    prices = "costs:\n  big: {usd_per_request: 0.01}\n  small: {usd_per_request: 0.001}\n"
    (recorded_project / "kdeval.yaml").write_text(config + prices)
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    (policy / "gate.yaml").write_text(POLICY.replace("0.95", "0.965").replace("0.01}", "0.005}"))
    done = kdeval("plan", "gate.yaml", "--run", "run", "--json", "plan.json")
    assert done.returncode == 0, done.stderr
    found = _json(policy)
    jsonschema.validate(found, json.loads(kdeval("schema", "plan").stdout))
    whole, part, errors = found["rules"]
    assert (whole["n"], part["n"], part["share"]) == (300, 150, 0.5)
    assert part["of_suite"] == 2 * part["needed"]
    assert errors["needed"] == 598
    assert whole["needed"] > 300
    assert whole["detectable"] < 0.965
    (spend,) = found["spend"]
    more = max(rule["of_suite"] for rule in found["rules"]) - 300
    assert spend["usd"] == pytest.approx(0.011 * more)
    assert spend["samples"] - spend["asked"] == more
    assert f"${0.011 * more:,.2f}" in done.stdout


def test_what_the_gate_asks_for_suffices(recorded_project: Path, kdeval: Kdeval) -> None:
    """A rule that needs no more than there is passes at the gate."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    text = "rules:\n  - {metric: retention, min: 0.93}\n  - {metric: score, min: 0.8}\n"
    (recorded_project / "gate.yaml").write_text(text)
    assert kdeval("plan", "gate.yaml", "--run", "run", "--json", "plan.json").returncode == 0
    assert all(rule["needed"] <= rule["n"] for rule in _json(recorded_project)["rules"])
    assert "which are there now" in kdeval("plan", "gate.yaml", "--run", "run").stdout
    assert kdeval("gate", "run", "--policy", "gate.yaml").returncode == 0


def test_rules_without_a_number_say_why(recorded_project: Path, kdeval: Kdeval) -> None:
    """The wrong side of the limit, and figures that the run or the assumptions do not have."""
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    text = "rules:\n  - {metric: retention, min: 0.999}\n  - {metric: latency_ratio, max: 0.5}\n"
    (recorded_project / "gate.yaml").write_text(text)
    said = " ".join(kdeval("plan", "gate.yaml", "--run", "run").stdout.split())
    assert "no number of samples makes 97.9 % pass a limit of 99.9 %" in said
    assert "the run has no latencies" in said
    assumed = ("--teacher-score", "0.9", "--retention", "0.9")
    said = " ".join(kdeval("plan", "gate.yaml", *assumed).stdout.split())
    assert "no number of samples makes 90.0 % pass a limit of 99.9 %" in said
    assert "needs a pilot run" in said


def test_a_policy_that_cannot_pass_says_so_before_any_number(
    recorded_project: Path, kdeval: Kdeval
) -> None:
    """And certainty is never printed."""
    text = "rules:\n  - {metric: retention, min: 0.9}\n  - {metric: error_share, max: 0.01}\n"
    (recorded_project / "gate.yaml").write_text(text)
    world = ("--teacher-score", "0.9", "--retention")
    said = " ".join(kdeval("plan", "gate.yaml", *world, "0.85").stdout.split())
    assert said.index("the policy cannot pass, however many") < said.index(
        "for its other rules, 299"
    )
    text = "rules:\n  - {metric: score, min: 0.5}\n  - {metric: error_share, max: 0.001}\n"
    (recorded_project / "gate.yaml").write_text(text)
    said = " ".join(kdeval("plan", "gate.yaml", *world, "0.99").stdout.split())
    assert "pass together with a probability of more than 99 %" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--teacher-score and --retention"),
        (("--retention", "0.98"), "--teacher-score (such as"),
        (("--run", "run", "--sd", "1"), "leave out --sd"),
        (("--teacher-score", "90", "--retention", "0.98"), "90.0 is not in the range"),
        (("--teacher-score", "0.9", "--retention", "0.9", "--disagreement", "0.01"), "disagree on"),
        (("--teacher-score", "0.9", "--retention", "1.2"), "must lie in [0, 1]"),
        (("--teacher-score", "0.9", "--retention", "0.9", "--student", "x"), "goes with --run"),
        (("--share", "part"), "write SLICE=SHARE"),
        (
            ("--teacher-score", "0.9", "--retention", "0.98", "--share", "ink=0.5"),
            "no rule of the policy is on the slice 'ink'",
        ),
    ],
)
def test_bad_input(policy: Path, kdeval: Kdeval, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, one line, no traceback."""
    done = kdeval("plan", "gate.yaml", *arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
