"""`kdeval run --until-decided`, end to end: fewer samples asked, and no second chance."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]

_MODEL = '''\
"""Gives the answer that stands in the question, slowly."""
import time
from kdeval.records import Response

class Reader:
    batch_size = 8
    def __init__(self, name, delay_s=0.0):
        self.name, self.delay_s, self.fingerprint = name, delay_s, f"reader-{name}"
    def classify(self, requests):
        time.sleep(self.delay_s)
        return [Response(output=r.text.split(f"{self.name}:")[1].split()[0]) for r in requests]
'''


def write(directory: Path, *, retained: float, n: int = 600, delay_s: float = 0.0) -> None:
    """A teacher that is right on 90 % and a student that keeps that share of them."""
    chance = random.Random(7)
    rows = []
    for index in range(n):
        right = chance.random() < 0.9
        kept = right and chance.random() < retained
        words = f"{index} big:{'yes' if right else 'no'} small:{'yes' if kept else 'no'}"
        rows.append({"id": f"w{index}", "text": words, "label": "yes", "part": str(index % 3)})
    (directory / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "suite.yaml").write_text(
        "name: words\nkind: classification\ndata: data.jsonl\nid: id\n"
        'input: "{{ text }}"\nreference: "{{ label }}"\nlabels: ["yes", "no"]\nslices: [part]\n'
    )
    (directory / "reader_model.py").write_text(_MODEL)
    configure(directory, delay_s=delay_s)
    (directory / "gate.yaml").write_text(
        "rules:\n  - {metric: retention, min: 0.9}\n  - {metric: error_share, max: 0.05}\n"
    )


def configure(directory: Path, *, delay_s: float) -> None:
    models = [
        {"name": name, "type": "reader_model:Reader", "options": {"name": name, "delay_s": delay_s}}
        for name in ("big", "small")
    ]
    config = {"suites": ["suite.yaml"], "latency_probe": False, "teacher": models[0],
              "students": models[1:]}  # fmt: skip
    (directory / "kdeval.yaml").write_text(json.dumps(config))


def stored(run: Path) -> int:
    """Answers in the store."""
    file = run / "predictions.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize(("retained", "verdict", "code"), [(0.995, "pass", 0), (0.7, "fail", 1)])
def test_a_clear_student_costs_a_part_of_the_samples(
    tmp_path: Path, kdeval: Kdeval, retained: float, verdict: str, code: int
) -> None:
    """Each look is shown, the run ends with 0, and `kdeval gate` repeats its verdict as a code."""
    write(tmp_path, retained=retained)
    done = kdeval("run", "kdeval.yaml", "--out", "run", "--until-decided", "gate.yaml")
    assert done.returncode == 0, done.stderr
    assert "look 1 of 5: 120 of 600 samples" in done.stdout
    asked = len(pd.read_parquet(tmp_path / "run" / "samples.parquet"))
    assert asked in (120, 240, 360)
    assert stored(tmp_path / "run") == 2 * asked
    words = " ".join(done.stdout.split())
    assert f"{asked} of 600 samples asked of each model, {600 - asked} saved" in words
    written = json.loads((tmp_path / "run" / "gate" / "gate.json").read_text())
    assert written["verdict"] == verdict
    assert (tmp_path / "run" / "gate" / "gate.xml").exists()
    judged = kdeval("gate", "run", "--policy", "gate.yaml", "--out", "again")
    assert judged.returncode == code, judged.stderr
    again = json.loads((tmp_path / "again" / "gate.json").read_text())
    assert again == written
    assert "every rule keeps its confidence over all looks" in " ".join(judged.stdout.split())


def test_killed_at_any_time_it_ends_the_same(tmp_path: Path, kdeval: Kdeval) -> None:
    """Looks, verdict and pairs of an uninterrupted run, and nothing stored is asked again."""
    write(tmp_path, retained=0.955)
    (tmp_path / "gate.yaml").write_text("rules:\n  - {metric: retention, min: 0.935}\n")
    arguments = ("run", "kdeval.yaml", "--until-decided", "gate.yaml", "--out")
    assert kdeval(*arguments, "whole").returncode == 0
    configure(tmp_path, delay_s=0.02)
    uninterrupted = json.loads((tmp_path / "whole" / "looks.json").read_text())
    chance = random.Random(5)
    for _ in range(3):
        before = stored(tmp_path / "run")
        process = subprocess.Popen(
            [sys.executable, "-m", "kdeval", *arguments, "run"], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while (
            process.poll() is None
            and stored(tmp_path / "run") <= before
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kdeval(*arguments, "run").returncode == 0
    looks = json.loads((tmp_path / "run" / "looks.json").read_text())
    for part in ("samples", "units", "policy", "taken"):
        assert looks[part] == uninterrupted[part]
    one, other = (pd.read_parquet(tmp_path / run / "pairs.parquet") for run in ("whole", "run"))
    columns = ["sample_id", "student", "teacher_score", "student_score", "student_output"]
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_peeks_and_changes_are_no_second_chance(tmp_path: Path, kdeval: Kdeval) -> None:
    """Another policy is judged at the look's level and marked; other settings are refused."""
    write(tmp_path, retained=0.7)
    arguments = ("run", "kdeval.yaml", "--out", "run", "--until-decided")
    assert kdeval(*arguments, "gate.yaml").returncode == 0
    (tmp_path / "easy.yaml").write_text("rules:\n  - {metric: retention, min: 0.6}\n")
    by_hand = kdeval("gate", "run", "--policy", "easy.yaml", "--out", "easy")
    assert "not the policy and student that the looks" in " ".join(by_hand.stdout.split())
    (rule,) = json.loads((tmp_path / "easy" / "gate.json").read_text())["rules"]
    assert rule["confidence"] > 0.99
    for more in (
        ("easy.yaml",),
        ("gate.yaml", "--limit", "100"),
    ):
        refused = kdeval(*arguments, *more)
        assert refused.returncode == 2
        assert "give another --out" in refused.stderr
    plain = kdeval("run", "kdeval.yaml", "--out", "run")
    assert plain.returncode == 2
    assert "the same command goes on" in " ".join(plain.stderr.split())


def test_the_report_of_looks_says_so(tmp_path: Path, kdeval: Kdeval) -> None:
    """In JSON, Markdown and HTML: which look, and intervals that hold over all of them."""
    write(tmp_path, retained=0.995)
    done = kdeval("run", "kdeval.yaml", "--out", "run", "--until-decided", "gate.yaml")
    assert done.returncode == 0, done.stderr
    assert kdeval("report", "run", "--policy", "gate.yaml", "--out", "report").returncode == 0
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert document["confidence"] > 0.99
    assert document["decisions"][0]["looks"]["covered"] is True
    for name in ("report.md", "report.html"):
        words = " ".join((tmp_path / "report" / name).read_text().split())
        assert "Samples were asked until a policy was decided" in words
        assert "every rule keeps its confidence over all looks together" in words


def test_betting_with_the_echo_and_recorded_models(recorded_project: Path, kdeval: Kdeval) -> None:
    """No last look; samples that run out leave it open, and a student without an answer is told."""
    arguments = ("run", "kdeval.yaml", "--until-decided", "gate.yaml", "--sequential", "betting")
    done = kdeval(*arguments, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "look 1: 50 of 300 samples" in done.stdout
    config = (recorded_project / "kdeval.yaml").read_text()
    start = config.index("students:")
    (recorded_project / "echo.yaml").write_text(
        config[:start] + "students:\n  - {name: small, type: echo, fail_share: 1.0}\n"
        "latency_probe: false\n"
    )
    dead = kdeval("run", "echo.yaml", "--out", "dead", "--until-decided", "gate.yaml")
    assert dead.returncode == 2
    assert "no look was taken" in " ".join(dead.stderr.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--looks", "3"), "goes with --until-decided"),
        (("--sequential", "betting"), "goes with --until-decided"),
        (("--until-decided", "gate.yaml", "--sequential", "betting", "--looks", "4"), "any time"),
        (
            ("--until-decided", "gate.yaml", "--sequential", "betting", "--limit", "200"),
            "--limit goes with obrien-fleming",
        ),
        (("--until-decided", "missing.yaml"), "missing.yaml"),
    ],
)
def test_options_that_do_not_go_together(
    recorded_project: Path, kdeval: Kdeval, options: tuple[str, ...], words: str
) -> None:
    done = kdeval("run", "kdeval.yaml", "--out", "run", *options)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert not (recorded_project / "run").exists()
