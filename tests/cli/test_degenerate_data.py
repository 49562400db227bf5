"""Data that statistics choke on: what run, report and gate say, and that they never say a lie."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdeval.cli.main import main

_SUITE = (
    "name: q\nkind: classification\ndata: data.jsonl\nid: id\n"
    'input: "{{ text }}"\nreference: "{{ label }}"\nlabels: ["yes", "no"]\n'
)
_MODEL = (
    "{{name: {name}, type: recorded, path: {name}.jsonl, columns: {{id: id, output: output, "
    "{setting}: {setting}, error: error}}}}"
)
_POLICY = """\
min_n: 1
rules:
  - {metric: retention, min: 0.9}
  - {metric: difference, min: -0.05}
  - {metric: error_share, max: 0.05}
"""
_NOT_A_NUMBER = re.compile(r"(?<![\w.-])[-+]?(nan|inf|infinity)(?![\w-])", re.IGNORECASE)

Row = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str


@pytest.fixture
def kdeval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., Done]:
    """Runs a command in this process; whatever it prints, on one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["kdeval", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return Done(int(end.value.code), " ".join((shown.out + shown.err).split()))

    return run


def label(index: int) -> str:
    return "yes" if index % 2 else "no"


def other(index: int) -> str:
    return label(index + 1)


def row(output: str | None, sure: float = 0.9, **more: Any) -> Row:
    """An answer and its probabilities."""
    rest = {"yes": 1 - sure, "no": 1 - sure}
    return {"output": output, "probabilities": {**rest, output: sure} if output else None, **more}


def right(index: int) -> Row:
    return row(label(index))


def failed(index: int) -> Row:
    return row(None, error="timeout")


def write(
    directory: Path,
    n: int,
    teacher: Callable[[int], Row],
    student: Callable[[int], Row],
    *,
    reference: Callable[[int], str] = label,
    setting: str = "probabilities",
) -> None:
    """A project of n samples and the recorded answers of two models."""
    files: dict[str, list[Row]] = {
        "data": [{"id": f"q{i}", "text": f"text {i}", "label": reference(i)} for i in range(n)],
        "big": [{"id": f"q{i}", **teacher(i)} for i in range(n)],
        "small": [{"id": f"q{i}", **student(i)} for i in range(n)],
    }
    for name, rows in files.items():
        rows = [{"error": None, **item} if name != "data" else item for item in rows]
        text = "".join(json.dumps(item) + "\n" for item in rows)
        (directory / f"{name}.jsonl").write_text(text)
    (directory / "suite.yaml").write_text(_SUITE)
    big, small = (_MODEL.format(name=name, setting=setting) for name in ("big", "small"))
    (directory / "kdeval.yaml").write_text(
        f"suites: [suite.yaml]\nteacher: {big}\nstudents:\n  - {small}\n"
    )
    (directory / "gate.yaml").write_text(_POLICY)


def judged(directory: Path, kdeval: Callable[..., Done], code: int) -> tuple[Row, str]:
    """The main cell of the report and the gate's words; every rendering is free of NaN."""
    report = kdeval("report", "run", "--policy", "gate.yaml")
    assert report.code == 0, report.out
    gate = kdeval("gate", "run", "--policy", "gate.yaml")
    assert gate.code == code, gate.out

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    written = directory / "run" / "report"
    document = json.loads((written / "report.json").read_text(), parse_constant=refuse)
    json.loads((directory / "run" / "gate" / "gate.json").read_text(), parse_constant=refuse)
    html = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", (written / "report.html").read_text())
    for text in (report.out, gate.out, (written / "report.md").read_text(), html):
        found = _NOT_A_NUMBER.search(text)
        assert found is None, text[max(0, found.start() - 200) : found.end() + 50]
    return document["students"][0]["cells"][0], gate.out


@pytest.mark.parametrize(("n", "code"), [(1, 3), (2, 3), (300, 0)])
def test_both_always_right(tmp_path: Path, kdeval, n: int, code: int) -> None:
    """No flip is no proof: one or two samples decide nothing, 300 do."""
    write(tmp_path, n, right, right)
    assert kdeval("run", "kdeval.yaml", "--out", "run").code == 0
    cell, words = judged(tmp_path, kdeval, code)
    assert (cell["teacher_score"]["estimate"], cell["student_score"]["estimate"]) == (1, 1)
    assert cell["difference"]["low"] < 0 < cell["difference"]["high"]
    if n <= 2:
        assert cell["retention"]["low"] is None
        assert "not clearly better than guessing" in words
        assert "cannot pass at this n" in words
    else:
        assert 0.95 < cell["retention"]["low"] < 1 < cell["retention"]["high"]


def test_both_always_wrong(tmp_path: Path, kdeval) -> None:
    """Nothing to retain is no retention; the difference is judged all the same."""
    write(tmp_path, 80, lambda i: row(other(i)), lambda i: row(other(i)))
    assert kdeval("run", "kdeval.yaml", "--out", "run").code == 0
    cell, words = judged(tmp_path, kdeval, 3)
    assert cell["retention"]["estimate"] is None
    assert "not clearly better than guessing" in cell["retention"]["reason"]
    assert "retention unknown" in words
    assert cell["difference"]["estimate"] == 0


def test_a_student_that_always_says_the_same(tmp_path: Path, kdeval) -> None:
    """Half of the labels are right by chance; the gate fails it."""
    write(tmp_path, 100, right, lambda i: row("yes", 0.5))
    assert kdeval("run", "kdeval.yaml", "--out", "run").code == 0
    cell, _ = judged(tmp_path, kdeval, 1)
    assert cell["student_score"]["estimate"] == 0.5
    assert cell["retention"]["high"] < 0.65


def test_one_class(tmp_path: Path, kdeval) -> None:
    """A majority that is always right is a baseline that nobody beats."""
    student = lambda i: row("yes" if i % 10 else "no")  # noqa: E731
    write(tmp_path, 100, lambda i: row("yes"), student, reference=lambda i: "yes")
    assert kdeval("run", "kdeval.yaml", "--out", "run").code == 0
    cell, _ = judged(tmp_path, kdeval, 1)
    assert cell["majority"] == 1
    assert cell["retention"]["estimate"] == pytest.approx(0.9)


@pytest.mark.parametrize("teacher", [right, failed])
def test_all_missing(tmp_path: Path, kdeval, teacher) -> None:
    """A failed request is no wrong answer: there is no score, and the error share fails."""
    write(tmp_path, 50, teacher, failed)
    run = kdeval("run", "kdeval.yaml", "--out", "run")
    assert run.code == 2
    assert "not one request was answered" in run.out
    cell, words = judged(tmp_path, kdeval, 1)
    sides = ("teacher", "student") if teacher is failed else ("student",)
    reasons = {f"{side}: timeout": 50 for side in sides}
    assert (cell["n"], cell["missing"]["reasons"]) == (0, reasons)
    assert cell["retention"]["estimate"] is None
    assert "50 of 50 samples are missing" in words
    assert "error share 100.0 %" in words


def test_no_samples(tmp_path: Path, kdeval) -> None:
    """An empty suite is refused, and nothing looks like a run."""
    write(tmp_path, 0, right, right)
    run = kdeval("run", "kdeval.yaml", "--out", "run")
    assert run.code == 2
    assert "the suite is empty" in run.out
    assert kdeval("report", "run").code == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.7, 0.7), "sum to 1.4, not 1"),
        ((0.3, 0.2), "sum to 0.5, not 1"),
        ((0, 0), "sum to 0, not 1"),
        ((-0.1, 1.1), "got -0.1"),
        ((math.inf, 0), "got inf"),
        ((math.nan, 0.5), "must be a number from 0 to 1"),
    ],
)
def test_no_probabilities(tmp_path: Path, kdeval, values, words: str) -> None:
    """Where, what and how to mend it, before anything is scored."""
    probabilities = dict(zip(("yes", "no"), values, strict=True))
    broken = lambda i: {"output": label(i), "probabilities": probabilities}  # noqa: E731
    write(tmp_path, 30, right, broken)
    run = kdeval("run", "kdeval.yaml", "--out", "run")
    assert run.code == 2
    assert "small.jsonl:1: probabilities (column 'probabilities')" in run.out
    assert words in run.out
    assert "29 more rows" in run.out


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((math.inf, -1.0), "small.jsonl:1: log_probabilities"),
        ((0.5, -1.0), "small.jsonl:1: log_probabilities"),
        ((-math.inf, -math.inf), "small.jsonl:1: log_probabilities"),
    ],
)
def test_no_log_probabilities(tmp_path: Path, kdeval, values, words: str) -> None:
    logs = dict(zip(("yes", "no"), values, strict=True))
    broken = lambda i: {"output": label(i), "log_probabilities": logs}  # noqa: E731
    fine = lambda i: {  # noqa: E731
        "output": label(i),
        "log_probabilities": {label(i): math.log(0.9), other(i): math.log(0.1)},
    }
    write(tmp_path, 30, fine, broken, setting="log_probabilities")
    run = kdeval("run", "kdeval.yaml", "--out", "run")
    assert run.code == 2, run.out
    assert words in run.out


def test_a_probability_of_zero_for_what_happens(tmp_path: Path, kdeval) -> None:
    """Minus infinity is a right log-probability, and an infinite log-loss is told in words."""
    sure = lambda i: row(other(i) if i % 8 == 0 else label(i), 1.0)  # noqa: E731
    write(tmp_path, 80, right, sure)
    assert kdeval("run", "kdeval.yaml", "--out", "run").code == 0
    judged(tmp_path, kdeval, 1)
    (tmp_path / "gate.yaml").write_text(
        "rules:\n  - {metric: log_loss_difference, max: 0.1}\n"
        "  - {metric: brier_difference, max: 0.5}\n"
    )
    gate = kdeval("gate", "run", "--policy", "gate.yaml")
    assert gate.code in (1, 3)
    assert _NOT_A_NUMBER.search(gate.out) is None, gate.out
    assert "log-loss" in gate.out or "log_loss" in gate.out
