"""A class of the user's own: its mistakes are told, and never become somebody's answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Kdeval = Callable[..., subprocess.CompletedProcess[str]]

MODELS = """\
import sys
from kdeval.records import Response

class Base:
    fingerprint = "same"
    def __init__(self, answer="odd"):
        self.answer = answer
    def classify(self, requests):
        return [Response(output=self.answer) for _ in requests]

class Other(Base):
    pass

class Typo(Base):
    def classify(self, requests):
        return [Response(output="odd", probabilities={}) for _ in requests]

class Leaks(Base):
    def classify(self, requests):
        raise RuntimeError("401 Authorization: Bearer abcdef123456 api_key=hunter2")

class Exits(Base):
    def classify(self, requests):
        sys.exit(0)

class Number(Base):
    def classify(self, requests):
        return [Response(output=1) for _ in requests]

class Surrogate(Base):
    def classify(self, requests):
        return [Response(output="\\ud800") for _ in requests]

class Lazy(Base):
    def classify(self, requests):
        return (Response(output="odd") for _ in requests)

class Broken(Base):
    @property
    def fingerprint(self):
        raise OSError("weights are gone")
"""


@pytest.fixture
def own(project: Path) -> Callable[..., None]:
    """Writes `kdeval.yaml` with a teacher and one student of the module above."""
    (project / "own.py").write_text(MODELS)

    def write(student: str, teacher: str = "Base", **options: str) -> None:
        config = {
            "suites": ["suite.yaml"],
            "latency_probe": False,
            "teacher": {"name": "t", "type": f"own:{teacher}"},
            "students": [{"name": "s", "type": f"own:{student}", "options": options}],
        }
        (project / "kdeval.yaml").write_text(json.dumps(config))

    return write


@pytest.mark.parametrize(("student", "options"), [("Base", {"answer": "even"}), ("Other", {})])
def test_the_same_fingerprint_is_not_the_same_model(
    own: Callable[..., None], project: Path, kdeval: Kdeval, student: str, options: dict[str, str]
) -> None:
    """Class and options are part of what an answer is stored under."""
    own(student, **options)
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "s: 240 answered now" in done.stdout
    pairs = pd.read_parquet(project / "run" / "pairs.parquet")
    assert set(pairs["student_output"]) == {options.get("answer", "odd")}


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("Exits", "sys.exit(0)"),
        ("Number", "output must be a str, got int 1"),
        ("Lazy", "returned generator; it must return a list"),
        ("Broken", "weights are gone"),
        ("Typo", "unexpected keyword argument 'probabilities'"),
        ("Surrogate", "not valid Unicode"),
    ],
)
def test_mistakes_are_told_and_the_exit_code_says_so(
    own: Callable[..., None], kdeval: Kdeval, student: str, words: str
) -> None:
    """Exit code 2 and the reason on the terminal, without a traceback."""
    own(student)
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_mended_model_is_not_haunted(
    own: Callable[..., None], project: Path, kdeval: Kdeval
) -> None:
    """What broke the protocol was never stored."""
    own("Number")
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 2
    (project / "own.py").write_text(MODELS.replace("output=1", 'output="odd"'))
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    assert kdeval("report", "run", "--format", "json").returncode == 0


def test_secrets_in_messages_are_not_written(
    own: Callable[..., None], project: Path, kdeval: Kdeval
) -> None:
    """Neither into the store, nor the pairs, nor a report, nor onto the terminal."""
    own("Leaks")
    done = kdeval("run", "kdeval.yaml", "--out", "run")
    kdeval("report", "run")
    found = done.stdout.encode() + done.stderr.encode()
    found += b"".join(f.read_bytes() for f in (project / "run").rglob("*") if f.is_file())
    assert b"hunter2" not in found
    assert b"abcdef123456" not in found
    assert b"RuntimeError" in found


def test_fresh_keeps_the_old_answers_until_there_are_new_ones(
    own: Callable[..., None], project: Path, kdeval: Kdeval
) -> None:
    """A backend that is down does not cost what was paid for."""
    own("Base")
    assert kdeval("run", "kdeval.yaml", "--out", "run").returncode == 0
    own("Leaks")
    assert kdeval("run", "kdeval.yaml", "--out", "run", "--fresh").returncode == 2
    kept = project / "run" / "predictions.before-fresh.sqlite"
    assert kept.stat().st_size > 10_000
    own("Base")
    assert kdeval("run", "kdeval.yaml", "--out", "run", "--fresh").returncode == 0
    assert not kept.exists()
